// Classes of the standard library that have no contents of their own, or none that anybody wants
// to read, and are shown by what they tell of themselves.
//
// Nothing here changes what is shown, waits, or takes a lock of the program's: a mutex says that it
// is locked, a future that it is ready, a random engine what it will give next, out of a copy.
#include "show_bodies.h"

#include "attempt.h"
#include "shown_types.h"

#include "farside/value_kinds.h"

#include "clang/Sema/Lookup.h"
#include "llvm/ADT/StringMap.h"

namespace farside {

using namespace clang;

namespace {

/// By the name of the class, its parts: `member` is a member function that is called and the label
/// of its result, `label=member` gives another label, which may be empty; `label:path|path` is the
/// first data member of these that there is, `label@helper` or `label@helper+text` is written by a
/// template of the header. A sole part without a label stands for the whole.
const llvm::StringMap<llvm::StringRef> &observed() {
  static const llvm::StringMap<llvm::StringRef> table = [] {
    llvm::StringMap<llvm::StringRef> made;
    auto add = [&](std::initializer_list<llvm::StringRef> names, llvm::StringRef parts) {
      for (llvm::StringRef name : names)
        made[name] = parts;
    };
    add({"source_location"}, "file_name line column function_name");
    add({"type_index", "type_info"}, "@type_name");
    add({"strong_ordering"}, "@ordering+equal");
    add({"weak_ordering", "partial_ordering"}, "@ordering+equivalent");
    add({"coroutine_handle"}, "@coroutine");
    add({"error_code", "error_condition"}, "value category message");
    add({"error_category", "locale"}, "=name");
    add({"basic_regex"}, "mark_count");
    add({"future", "shared_future"}, "@awaited");
    add({"packaged_task"}, "valid");
    add({"thread", "jthread"}, "joinable id=get_id");
    add({"mutex", "recursive_mutex", "timed_mutex", "recursive_timed_mutex"}, "@mutex");
    add({"unique_lock", "shared_lock"}, "owns_lock mutex");
    add({"counting_semaphore"}, "count:_M_sem._M_counter|__semaphore_.__a_");
    add({"latch"}, "count:_M_a|__a_");
    add({"stop_source", "stop_token"}, "stop_possible stop_requested");
    add({"year_month"}, "year month");
    add({"month_day"}, "month day");
    add({"month_day_last"}, "month");
    add({"weekday_indexed"}, "weekday index");
    add({"weekday_last"}, "weekday");
    add({"month_weekday"}, "month weekday_indexed");
    add({"month_weekday_last"}, "month weekday_last");
    add({"year_month_day_last"}, "year month day");
    add({"year_month_weekday"}, "year month weekday index");
    add({"year_month_weekday_last"}, "year month weekday");
    add({"hh_mm_ss"}, "is_negative hours minutes seconds subseconds");
    add({"linear_congruential_engine", "mersenne_twister_engine", "subtract_with_carry_engine",
         "discard_block_engine", "independent_bits_engine", "shuffle_order_engine"},
        "@engine");
    add({"seed_seq"}, "size");
    add({"slice", "gslice"}, "start size stride");
    add({"_Expr", "__val_expr"}, "@indexed");
    add({"extents"}, "@extents");
    add({"mdspan"}, "@grid");
    add({"basic_ios", "basic_istream", "basic_ostream", "basic_iostream", "basic_osyncstream"},
        "@state");
    add({"basic_istringstream", "basic_ostringstream", "basic_stringstream"}, "str state@state");
    add({"basic_ifstream", "basic_ofstream", "basic_fstream"}, "is_open state@state");
    add({"basic_stringbuf"}, "=str");
    add({"basic_filebuf"}, "is_open");
    add({"polymorphic_allocator"}, "resource");
    add({"file_status"}, "type permissions");
    add({"nested_exception"}, "=nested_ptr");
    add({"unexpected"}, "=error");
    add({"move_only_function", "copyable_function"}, "@filled");
    add({"basic_format_string"}, "=get");
    return made;
  }();
  return table;
}

} // namespace

bool isObserved(llvm::StringRef name) { return observed().contains(name); }

/// A data member of a member and so on, `first.second`; null where there is none of that name.
Expr *ShowBodies::memberAt(Expr *value, llvm::StringRef path) {
  while (!path.empty()) {
    auto [name, rest] = path.split('.');
    const CXXRecordDecl *record = value->getType()->getAsCXXRecordDecl();
    if (!record || !record->hasDefinition())
      return nullptr;
    LookupResult found(S, &C.Idents.get(name), Loc, Sema::LookupMemberName);
    found.suppressDiagnostics();
    if (!S.LookupQualifiedName(found, const_cast<CXXRecordDecl *>(record->getDefinition())))
      return nullptr;
    auto *field = found.getAsSingle<FieldDecl>();
    if (!field || field->isBitField())
      return nullptr;
    if (field->getParent()->getCanonicalDecl() != record->getCanonicalDecl()) {
      CXXScopeSpec scope;
      ExprResult inherited =
          S.BuildMemberReferenceExpr(value, value->getType(), Loc, false, scope, SourceLocation(),
                                     nullptr, found, nullptr, nullptr);
      if (inherited.isInvalid())
        return nullptr;
      value = inherited.get();
    } else {
      value = memberOf(value, *field);
    }
    path = rest;
  }
  return value;
}

/// Writes one part; says whether the library has it. Nothing is written where `seen` is true.
bool ShowBodies::fillPart(Expr *out, Expr *value, llvm::StringRef how, bool seen) {
  if (how.consume_front("@")) {
    auto [name, text] = how.split('+');
    if (seen)
      return true;
    std::vector<TemplateArgument> arguments = typeArguments(value->getType());
    if (name == "awaited") {
      auto *standard = S.getStdNamespace();
      LookupResult space(S, &C.Idents.get("chrono"), Loc, Sema::LookupNamespaceName);
      S.LookupQualifiedName(space, standard);
      LookupResult unit(S, &C.Idents.get("nanoseconds"), Loc, Sema::LookupOrdinaryName);
      S.LookupQualifiedName(unit, space.getAsSingle<NamespaceDecl>());
      arguments = {TemplateArgument(unit.getAsSingle<TypedefNameDecl>()->getUnderlyingType()),
                   TemplateArgument(value->getType().getCanonicalType())};
    }
    if (text.empty())
      run(name, arguments, {out, value});
    else
      run(name, arguments, {out, value, literal(text)});
    return true;
  }
  if (how.consume_front(":")) {
    llvm::SmallVector<llvm::StringRef> paths;
    how.split(paths, '|');
    for (llvm::StringRef path : paths)
      if (Expr *member = memberAt(value, path)) {
        if (!seen)
          show(out, member);
        return true;
      }
    return false;
  }
  auto build = [&]() -> ExprResult {
    Expr *made = callMember(value, how);
    return made ? ExprResult(made) : ExprError();
  };
  if (seen)
    return attemptUnevaluated(S, build) != nullptr;
  Expr *made = callMember(value, how);
  if (!made->isGLValue())
    made = S.CreateMaterializeTemporaryExpr(made->getType(), made, /*BoundToLvalueReference=*/true);
  show(out, made);
  return true;
}

bool ShowBodies::fillObserved(Expr *out, Expr *value, const CXXRecordDecl &record) {
  AccessOff off(S);
  llvm::SmallVector<llvm::StringRef> parts;
  observed().lookup(record.getName()).split(parts, ' ');
  auto split = [](llvm::StringRef part) {
    size_t at = part.find_first_of("=:@");
    if (at == llvm::StringRef::npos)
      return std::pair(part, part);
    return std::pair(part.take_front(at), part.drop_front(part[at] == '=' ? at + 1 : at));
  };
  // A version of the library that keeps things elsewhere is no reason to fail.
  for (llvm::StringRef part : parts)
    if (!fillPart(out, value, split(part).second, /*seen=*/true))
      return false;
  bool whole = parts.size() == 1 && split(parts[0]).first.empty();
  if (!whole)
    run("__farside_open", {out, kind(FARSIDE_VALUE_RECORD), literal("")});
  for (llvm::StringRef part : parts) {
    auto [label, how] = split(part);
    if (!whole)
      run("__farside_label", {out, literal(label)});
    fillPart(out, value, how, /*seen=*/false);
  }
  if (!whole)
    run("__farside_close", {out});
  return true;
}

} // namespace farside
