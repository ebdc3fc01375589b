#include "diagnostics.h"

#include "shown_header.h"

#include "clang/AST/Decl.h"
#include "clang/Basic/AllDiagnostics.h"
#include "clang/Basic/DiagnosticIDs.h"
#include "clang/Basic/DiagnosticSerialization.h"
#include "clang/Basic/LangOptions.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Lex/Lexer.h"

namespace farside {

using clang::CharSourceRange;
using clang::DiagnosticsEngine;
using clang::FullSourceLoc;
using llvm::json::Array;
using llvm::json::Object;

namespace {

/// A longer source line is of no use to a reader and may be machine-made.
constexpr size_t MaxSourceLine = 2000;

const char *severity(DiagnosticsEngine::Level level) {
  switch (level) {
  case DiagnosticsEngine::Ignored:
  case DiagnosticsEngine::Note:
    return "note";
  case DiagnosticsEngine::Remark:
    return "remark";
  case DiagnosticsEngine::Warning:
    return "warning";
  case DiagnosticsEngine::Error:
    return "error";
  case DiagnosticsEngine::Fatal:
    return "fatal";
  }
  return "error";
}

std::string text(llvm::StringRef bytes) {
  return llvm::json::isUTF8(bytes) ? bytes.str() : llvm::json::fixUTF8(bytes);
}

std::string sourceLine(FullSourceLoc loc) {
  bool invalid = false;
  llvm::StringRef buffer = loc.getBufferData(&invalid);
  if (invalid)
    return {};
  size_t at = std::min<size_t>(loc.getFileOffset(), buffer.size());
  size_t before = buffer.take_front(at).rfind('\n');
  size_t begin = before == llvm::StringRef::npos ? 0 : before + 1;
  llvm::StringRef line = buffer.substr(begin).take_until([](char c) { return c == '\n'; });
  return text(line.rtrim('\r').take_front(MaxSourceLine));
}

Object blank() {
  return Object{{"severity", ""}, {"message", ""},   {"option", ""},      {"file", ""},
                {"line", 0},      {"column", 0},     {"ranges", Array{}}, {"fixits", Array{}},
                {"source", ""},   {"notes", Array{}}};
}

/// [line, column, line, column] of a range within the file of `file`; empty where it is not.
Array rangeOf(const CharSourceRange &range, clang::FileID file, const clang::SourceManager &sm,
              const clang::LangOptions &language) {
  if (range.isInvalid())
    return {};
  clang::SourceLocation begin = sm.getFileLoc(range.getBegin());
  clang::SourceLocation end = range.getEnd();
  if (range.isTokenRange()) {
    end = sm.getFileLoc(end);
    unsigned length = clang::Lexer::MeasureTokenLength(end, sm, language);
    end = end.getLocWithOffset(static_cast<int>(length));
  } else {
    end = sm.getFileLoc(end);
  }
  if (sm.getFileID(begin) != file || sm.getFileID(end) != file)
    return {};
  return Array{sm.getSpellingLineNumber(begin), sm.getSpellingColumnNumber(begin),
               sm.getSpellingLineNumber(end), sm.getSpellingColumnNumber(end)};
}

/// The notes of errors that say that something is declared already, and otherwise; and those that
/// name what a call may mean.
bool isAboutEarlier(unsigned error, unsigned note) {
  if (isAmbiguousCall(error))
    return note == clang::diag::note_ovl_candidate;
  if (error == clang::diag::err_specialization_after_instantiation)
    return note == clang::diag::note_instantiation_required_here;
  if (error == clang::diag::err_tag_definition_of_typedef)
    return note == clang::diag::note_previous_decl;
  if (error == clang::diag::err_using_decl_conflict_reverse)
    return note == clang::diag::note_using_decl;
  switch (note) {
  case clang::diag::note_previous_declaration:
  case clang::diag::note_previous_definition:
  case clang::diag::note_previous_namespace_alias:
  case clang::diag::note_previous_use:
  case clang::diag::note_template_prev_declaration:
  case clang::diag::note_template_param_prev_default_arg:
  case clang::diag::note_using_decl_conflict:
  case clang::diag::note_previous_explicit_instantiation:
    return true;
  default:
    return false;
  }
}

/// What an error says to have been made of a template too early.
const clang::NamedDecl *instanceIn(const clang::Diagnostic &info) {
  const auto argument = info.getRawArg(0);
  if (info.getArgKind(0) == DiagnosticsEngine::ak_nameddecl)
    return reinterpret_cast<const clang::NamedDecl *>(argument);
  if (info.getArgKind(0) == DiagnosticsEngine::ak_qualtype)
    return clang::QualType::getFromOpaquePtr(reinterpret_cast<void *>(argument))->getAsTagDecl();
  return nullptr;
}

/// The warnings that the value of an expression is not used, by their options.
bool isAboutUnusedValue(llvm::StringRef option) {
  return option == "unused-value" || option == "unused-comparison" || option == "unused-result" ||
         option == "unused-volatile-lvalue";
}

/// Tells whether a place is in what farside has Clang read before all cells.
bool isOwn(clang::SourceLocation place, const clang::SourceManager &sm) {
  return place.isValid() &&
         sm.getBufferOrFake(sm.getFileID(sm.getFileLoc(place))).getBufferIdentifier() ==
             OwnHeaderName;
}

} // namespace

bool isAmbiguousCall(unsigned error) {
  switch (error) {
  case clang::diag::err_ovl_ambiguous_call:
  case clang::diag::err_ovl_ambiguous_oper_binary:
  case clang::diag::err_ovl_ambiguous_oper_unary:
  case clang::diag::err_addr_ovl_ambiguous:
  case clang::diag::err_deduced_class_template_ctor_ambiguous:
    return true;
  default:
    return false;
  }
}

/// Clang's renderer works out macro expansions and include stacks; this end of it fills objects
/// where Clang's own prints text.
class DiagnosticCollector::Renderer : public clang::DiagnosticNoteRenderer {
public:
  Renderer(const clang::LangOptions &language, clang::DiagnosticOptions &options,
           DiagnosticCollector &owner)
      : DiagnosticNoteRenderer(language, options), Owner(owner) {}

  std::string Option;

protected:
  void emitDiagnosticMessage(FullSourceLoc loc, clang::PresumedLoc presumed,
                             DiagnosticsEngine::Level level, llvm::StringRef message,
                             llvm::ArrayRef<CharSourceRange>, clang::DiagOrStoredDiag) override {
    Object &object = Owner.target(level);
    if (level != DiagnosticsEngine::Note) {
      Owner.Notes.back() = std::move(IncludeStack);
      IncludeStack = {};
    }
    object["severity"] = severity(level);
    object["message"] = text(message);
    object["option"] = level == DiagnosticsEngine::Note ? "" : Option;
    if (presumed.isValid()) {
      object["file"] = text(presumed.getFilename());
      object["line"] = presumed.getLine();
      object["column"] = presumed.getColumn();
      object["source"] = sourceLine(loc.getFileLoc());
    }
  }

  void emitDiagnosticLoc(FullSourceLoc, clang::PresumedLoc, DiagnosticsEngine::Level,
                         llvm::ArrayRef<CharSourceRange>) override {}

  void emitCodeContext(FullSourceLoc loc, DiagnosticsEngine::Level level,
                       llvm::SmallVectorImpl<CharSourceRange> &ranges,
                       llvm::ArrayRef<clang::FixItHint> hints) override {
    Object &object = level == DiagnosticsEngine::Note && !Owner.Notes.back().empty()
                         ? *Owner.Notes.back().back().getAsObject()
                         : Owner.Found.back();
    const clang::SourceManager &sm = loc.getManager();
    clang::FileID file = sm.getFileID(sm.getFileLoc(loc));
    Array shown;
    for (const CharSourceRange &range : ranges)
      if (Array entry = rangeOf(range, file, sm, LangOpts); !entry.empty())
        shown.push_back(std::move(entry));
    Array fixits;
    for (const clang::FixItHint &hint : hints)
      if (Array entry = rangeOf(hint.RemoveRange, file, sm, LangOpts); !entry.empty())
        fixits.push_back(Object{{"range", std::move(entry)}, {"text", text(hint.CodeToInsert)}});
    object["ranges"] = std::move(shown);
    object["fixits"] = std::move(fixits);
  }

  void emitNote(FullSourceLoc loc, llvm::StringRef message) override {
    clang::PresumedLoc presumed = loc.isValid() ? loc.getPresumedLoc() : clang::PresumedLoc();
    if (!InIncludeStack) {
      emitDiagnosticMessage(loc, presumed, DiagnosticsEngine::Note, message, {}, nullptr);
      return;
    }
    // Every cell counts as included from the empty main file; that tells nobody anything.
    if (presumed.isInvalid() || llvm::StringRef(presumed.getFilename()) == "start")
      return;
    Object note = blank();
    note["severity"] = "note";
    note["message"] = text(message);
    note["file"] = text(presumed.getFilename());
    note["line"] = presumed.getLine();
    note["column"] = presumed.getColumn();
    IncludeStack.push_back(std::move(note));
  }

  /// Clang tells these before the diagnostic that they belong to.
  void emitIncludeLocation(FullSourceLoc loc, clang::PresumedLoc presumed) override {
    InIncludeStack = true;
    DiagnosticNoteRenderer::emitIncludeLocation(loc, presumed);
    InIncludeStack = false;
  }

private:
  DiagnosticCollector &Owner;
  Array IncludeStack;
  bool InIncludeStack = false;
};

DiagnosticCollector::DiagnosticCollector(clang::DiagnosticOptions &options) : Options(options) {}
DiagnosticCollector::~DiagnosticCollector() = default;

void DiagnosticCollector::BeginSourceFile(const clang::LangOptions &language,
                                          const clang::Preprocessor *) {
  Render = std::make_unique<Renderer>(language, Options, *this);
}

Object &DiagnosticCollector::target(DiagnosticsEngine::Level level) {
  if (level == DiagnosticsEngine::Note && !Found.empty()) {
    Notes.back().push_back(blank());
    return *Notes.back().back().getAsObject();
  }
  Found.push_back(blank());
  Notes.emplace_back();
  return Found.back();
}

void DiagnosticCollector::noteFile(DiagnosticsEngine::Level level, const clang::Diagnostic &info) {
  if (level >= DiagnosticsEngine::Error)
    InError = true;
  else if (level != DiagnosticsEngine::Note)
    InError = false;
  if (!InError || !info.hasSourceManager() || !info.getLocation().isValid())
    return;
  const clang::SourceManager &sm = info.getSourceManager();
  clang::SourceLocation loc = sm.getSpellingLoc(info.getLocation());
  if (llvm::StringRef name = sm.getFilename(loc); !name.empty())
    ErrorFiles.push_back(name.str());
}

void DiagnosticCollector::noteEarlier(DiagnosticsEngine::Level level,
                                      const clang::Diagnostic &info) {
  if (level >= DiagnosticsEngine::Error) {
    LastError = info.getID();
    LastErrorAt = info.getLocation();
  }
  if (info.getID() == clang::diag::err_specialization_after_instantiation && OnSpecialised)
    if (const clang::NamedDecl *instance = instanceIn(info))
      OnSpecialised(*instance, info.getLocation());
  if (level != DiagnosticsEngine::Note || !InError || !OnEarlier || !info.hasSourceManager())
    return;
  if (info.getID() == clang::diag::note_redefinition_include_same_file)
    OnEarlier(LastError, LastErrorAt, {}, info.getSourceManager());
  else if (isAboutEarlier(LastError, info.getID()))
    OnEarlier(LastError, LastErrorAt, info.getLocation(), info.getSourceManager());
}

/// Tells whether the user has been told this, or it is no news to who writes cells.
///
/// Clang parses the beginning of a statement twice where it could be a declaration, and says then
/// twice that a name in it is not declared. It takes the end of a cell for the end of a file, where
/// an open `#pragma pack(push)` or an unmet `#pragma weak` is worth a warning; a later cell may end
/// it, so once is enough. And no statement at the top level is to blame for the `__func__` in the
/// expansion of `assert`.
bool DiagnosticCollector::isNoNews(DiagnosticsEngine::Level level, const clang::Diagnostic &info,
                                   llvm::StringRef message) {
  if (!info.hasSourceManager())
    return false;
  const clang::SourceManager &sm = info.getSourceManager();
  clang::SourceLocation place = info.getLocation();
  if (info.getID() == clang::diag::warn_pragma_pack_no_pop_eof ||
      info.getID() == clang::diag::warn_weak_identifier_undeclared)
    return !Unterminated.insert(place).second;
  if (info.getID() == clang::diag::ext_predef_outside_function)
    return place.isMacroID();
  if (info.getID() == clang::diag::warn_pragma_pack_modified_after_include)
    return sm.isInMainFile(place); // the cell counts as included from the empty main file
  bool repeats = level >= DiagnosticsEngine::Error && place == LastSaid && !Found.empty() &&
                 Notes.back().empty() && Found.back().getString("message") == message;
  LastSaid = level >= DiagnosticsEngine::Error ? place : clang::SourceLocation();
  return repeats;
}

/// Drops a diagnostic about the value that is shown, if this is one. With -Werror it counts as an
/// error by now, and as one of many only where there was another before.
bool DiagnosticCollector::dropUnused(DiagnosticsEngine::Level level, const clang::Diagnostic &info,
                                     llvm::StringRef option) {
  if (!isAboutUnusedValue(option) || !InShown || !InShown())
    return false;
  // Clang offers no other way to take an error back than to forget all that there were. A warning
  // is none: the one error is another then, such as that a name of the cell is defined already.
  auto *engine = const_cast<DiagnosticsEngine *>(info.getDiags());
  if (level >= DiagnosticsEngine::Error && engine->getNumErrors() == 1)
    engine->Reset(/*soft=*/true);
  Dropping = true;
  return true;
}

void DiagnosticCollector::HandleDiagnostic(DiagnosticsEngine::Level level,
                                           const clang::Diagnostic &info) {
  std::string option =
      info.getDiags()->getDiagnosticIDs()->getWarningOptionForDiag(info.getID()).str();
  if (level != DiagnosticsEngine::Note && dropUnused(level, info, option))
    return;
  DiagnosticConsumer::HandleDiagnostic(level, info);
  noteEarlier(level, info);
  HeaderChanged |= info.getID() == clang::diag::err_fe_ast_file_modified;
  if (OnSaid)
    OnSaid(info);
  // Two cells are no files, so Clang takes two places at one offset for one file included twice.
  if (level == DiagnosticsEngine::Note && info.hasSourceManager() &&
      (info.getSourceManager().isInMainFile(info.getLocation()) ||
       isOwn(info.getLocation(), info.getSourceManager())))
    return;
  llvm::SmallString<256> message;
  info.FormatDiagnostic(message);
  if (level != DiagnosticsEngine::Note)
    Dropping = isNoNews(level, info, message);
  if (Dropping)
    return;
  noteFile(level, info);
  if (!option.empty())
    option = "-W" + option;
  if (Render && info.hasSourceManager()) {
    Render->Option = level == DiagnosticsEngine::Note ? Render->Option : option;
    Render->emitDiagnostic(FullSourceLoc(info.getLocation(), info.getSourceManager()), level,
                           message, info.getRanges(), info.getFixItHints(), &info);
  } else {
    Object &object = target(level);
    object["severity"] = severity(level);
    object["message"] = text(message);
    object["option"] = option;
  }
  if (info.getID() == clang::diag::fatal_too_many_errors && OnGivingUp)
    OnGivingUp();
}

void DiagnosticCollector::dropFrom(size_t kept) {
  if (kept >= Found.size())
    return;
  Found.resize(kept);
  Notes.resize(kept);
}

Array DiagnosticCollector::take() {
  Array all;
  for (size_t i = 0; i < Found.size(); ++i) {
    Found[i]["notes"] = std::move(Notes[i]);
    all.push_back(std::move(Found[i]));
  }
  Found.clear();
  Notes.clear();
  ErrorFiles.clear();
  InError = false;
  HeaderChanged = false;
  Dropping = false;
  LastError = {};
  return all;
}

std::string DiagnosticCollector::firstError() const {
  for (const Object &object : Found)
    if (auto level = object.getString("severity"); level == "error" || level == "fatal")
      return object.getString("message").value_or("").str();
  return {};
}

} // namespace farside
