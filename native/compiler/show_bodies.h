// How values of class, array and other compound types are shown: functions made type by type.
//
// shown_header.cpp declares `show<T, G>(out, value)` and never defines it. Code that shows a value
// of type T refers to the instance for T; complete() then gives each instance that was referred to
// its body, which refers to further ones, until there is nothing left to do. A body is
//
//   * for a class, its bases and members in order, private ones included: AST that the parser would
//     reject for want of access;
//   * for a type that its author has given a text (operator<<, to_string), that;
//   * for what the library has, and for all ranges, a call of one of the templates of the header.
//
// A value that is given to a Python program goes the same way, by instances of their own, with a
// bit set in G (show_given.cpp): whole, and by its parts where it is shown by a text.
//
// The instances are ordinary functions of the session: the second display of a type compiles the
// call only. C has no templates, so there a function is made by hand for each type and cell.
#pragma once

#include "clang/AST/Decl.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/Sema/Sema.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <string>
#include <vector>

namespace farside {

/// Members are shown whoever may name them.
class AccessOff {
public:
  explicit AccessOff(clang::Sema &sema)
      : Options(const_cast<clang::LangOptions &>(sema.getLangOpts())),
        Before(Options.AccessControl != 0) {
    Options.AccessControl = false;
  }
  ~AccessOff() { Options.AccessControl = Before ? 1 : 0; }
  AccessOff(const AccessOff &) = delete;
  AccessOff &operator=(const AccessOff &) = delete;

private:
  clang::LangOptions &Options;
  bool Before;
};

class ShowBodies {
public:
  explicit ShowBodies(clang::Sema &sema);

  /// Whether the header is there.
  bool ready() const { return Show != nullptr || !S.getLangOpts().CPlusPlus; }

  /// A call that shows what `glvalue` denotes, or gives it; null where that cannot be.
  clang::Expr *call(clang::Expr *glvalue, clang::SourceLocation where);

  /// Whether values of this type have no form in Python.
  bool isOpaque(clang::QualType type);

  /// Makes the bodies that the cell needs. `emit` is given each function that was made.
  void complete(llvm::function_ref<void(clang::FunctionDecl *)> emit);

  /// Whether something that complete() has to do is pending.
  bool pending() const;

  /// Whether cells have included farside/display.h, whose templates refer to functions made here.
  bool hasHeader() const { return HasHeader; }

  /// Takes notice of declarations that may change how a type is shown.
  void declared(clang::DeclGroupRef decls);

  unsigned long Elements = 100; ///< how many elements of a container are shown
  bool Giving = false;          ///< whether values are given, not shown
  bool Plain = false;           ///< whether values are shown by their addresses, in this cell

private:
  void renewDefaults();

  enum class Way { scalar, text, address, array, vector, members, library, range, thrown };

  Way wayOf(clang::QualType type);
  bool isPlain(clang::QualType type, unsigned depth = 0);
  bool hasPlainMembers(const clang::RecordDecl &record, unsigned depth);
  clang::FunctionTemplateDecl *find(llvm::StringRef name);
  void define(clang::FunctionDecl &function, bool rich);
  clang::FunctionDecl *functionForC(clang::QualType type);

  void fill(clang::Expr *out, clang::Expr *value);
  void fillScalar(clang::Expr *out, clang::Expr *value);
  void fillArray(clang::Expr *out, clang::Expr *value);
  std::pair<clang::QualType, uint64_t> elementsOf(clang::QualType type);
  void fillMembers(clang::Expr *out, clang::Expr *value);
  void fillFields(clang::Expr *out, clang::Expr *value, const clang::RecordDecl &record);
  void fillBases(clang::Expr *out, clang::Expr *value, clang::CXXRecordDecl &record);
  void fillField(clang::Expr *out, clang::Expr *base, clang::FieldDecl &field);
  bool fillLibrary(clang::Expr *out, clang::Expr *value);
  bool fillTyped(clang::Expr *out, clang::Expr *value, const clang::CXXRecordDecl &record);
  void fillTime(clang::Expr *out, clang::Expr *value, const clang::CXXRecordDecl &record);
  bool fillObserved(clang::Expr *out, clang::Expr *value, const clang::CXXRecordDecl &record);
  bool fillPart(clang::Expr *out, clang::Expr *value, llvm::StringRef how, bool seen);
  void fillAny(clang::Expr *out, clang::Expr *value);
  std::vector<clang::QualType> heldByAny();
  void noteHeldByAny();
  void showAddress(clang::Expr *out, clang::Expr *value);

  void give(clang::Expr *out, clang::Expr *value);
  void giveScalar(clang::Expr *out, clang::Expr *value);
  bool giveArray(clang::Expr *out, clang::Expr *value);
  bool giveLibrary(clang::Expr *out, clang::Expr *value);
  bool giveElements(clang::Expr *out, clang::Expr *value, const clang::CXXRecordDecl &record);
  bool giveGrid(clang::Expr *out, clang::Expr *value, const clang::CXXRecordDecl &record);
  bool giveComputed(clang::Expr *out, clang::Expr *value, const clang::CXXRecordDecl &record);
  bool giveHeld(clang::Expr *out, clang::Expr *value, const clang::CXXRecordDecl &record);
  void giveWithin(unsigned kind, clang::Expr *out, llvm::StringRef text,
                  llvm::function_ref<void()> inner);
  void giveOpaque(clang::Expr *out, clang::Expr *value);

  clang::Expr *textOf(clang::Expr *value);
  clang::Expr *bundleOf(clang::Expr *value);
  clang::Expr *streamInsertion(clang::Expr *value);
  bool hasFormatter(clang::QualType type);
  clang::Expr *formatted(clang::Expr *value);
  clang::Expr *callOfStd(llvm::StringRef name, llvm::MutableArrayRef<clang::Expr *> arguments);
  clang::Expr *callByArguments(llvm::StringRef name, clang::Expr *value);
  clang::Expr *callMember(clang::Expr *value, llvm::StringRef name);
  bool isRange(clang::Expr *value);
  clang::Expr *callOfRange(llvm::StringRef name, clang::Expr *value);
  bool holdsOpaque(clang::QualType type, unsigned depth = 0);
  bool losesElements(clang::QualType range);
  bool isMultiPass(clang::QualType iterator);
  bool isThrowable(clang::QualType type);

  // Expressions.
  clang::Expr *stand(clang::QualType type);
  clang::Expr *number(uint64_t value, clang::QualType type);
  clang::Expr *size(uint64_t value) { return number(value, S.Context.getSizeType()); }
  clang::Expr *kind(unsigned value) { return number(value, S.Context.UnsignedIntTy); }
  clang::Expr *literal(llvm::StringRef text);
  clang::Expr *addressOf(clang::Expr *glvalue);
  clang::Expr *reference(clang::ValueDecl *decl);
  clang::Expr *memberOf(clang::Expr *base, clang::FieldDecl &field);
  clang::Expr *memberAt(clang::Expr *value, llvm::StringRef path);
  clang::Expr *helper(llvm::StringRef name, llvm::ArrayRef<clang::TemplateArgument> arguments);
  clang::Expr *built(clang::ExprResult result);
  void run(llvm::StringRef function, llvm::ArrayRef<clang::Expr *> arguments);
  void run(llvm::StringRef name, llvm::ArrayRef<clang::TemplateArgument> arguments,
           llvm::ArrayRef<clang::Expr *> parameters);
  void show(clang::Expr *out, clang::Expr *value);
  clang::TemplateArgument argument(uint64_t value, clang::QualType type);
  std::vector<clang::TemplateArgument> typeArguments(clang::QualType type);

  clang::Sema &S;
  clang::ASTContext &C;
  clang::NamespaceDecl *Space = nullptr;
  clang::FunctionTemplateDecl *Show = nullptr;
  clang::FunctionTemplateDecl *Rich = nullptr;
  clang::SourceLocation Loc;
  unsigned Generation = 0;
  clang::CXXRecordDecl *Any = nullptr; ///< std::any, once one was shown
  size_t HeldByAny = 0;                ///< how many types of its contents are told apart
  bool HasHeader = false;
  bool Called = false;             ///< since complete()
  std::vector<clang::Stmt *> Body; ///< of the function that is being made
  std::vector<std::pair<clang::QualType, clang::FunctionDecl *>> MadeForC;
  size_t DefinedForC = 0;
  unsigned NumberForC = 0;
};

} // namespace farside
