// Specialisations and instantiations of templates, taken back so that they can be given again.
#pragma once

#include "clang/Basic/SourceLocation.h"

#include <vector>

namespace clang {
class CXXRecordDecl;
class ClassTemplateDecl;
class Decl;
class FunctionDecl;
class NamedDecl;
class Sema;
class VarDecl;
} // namespace clang

namespace farside {

/// Whether this is an explicit or partial specialisation of a class or variable template.
bool isSpecialisation(const clang::NamedDecl &decl);

/// Whether this is an instantiation that a cell has asked for, as with `template struct S<int>;`.
bool isExplicitInstantiation(const clang::Decl &decl);

/// Whether this was made of a template, or of a member of one, because it is used.
bool isInstance(const clang::NamedDecl &decl);

/// Whether a template would make this of a partial specialisation now, and has made it of something
/// else before.
bool isOvertaken(clang::Sema &sema, const clang::NamedDecl &made, clang::NamedDecl &partial);

/// Makes a specialisation, or what was made of the template for its arguments, unknown to its
/// template, and what was instantiated from a partial one. What refers to it keeps it.
///
/// Returns a declaration of the class template under which the new specialisation is to stand: what
/// is made of it has symbols with a tag of `cell`. Null for a variable template.
clang::ClassTemplateDecl *forgetSpecialisation(clang::Sema &sema, clang::NamedDecl &decl,
                                               unsigned cell);

/// Has a new specialisation stand under such a declaration if it is one of that template.
void standUnder(clang::ClassTemplateDecl &declaration, clang::NamedDecl &decl);

/// Makes Clang forget that an instantiation was asked for, so that it can be asked for again.
void forgetInstantiation(clang::Decl &decl);

/// Whether a function was made of a template's, or of its member, that this is a declaration of.
bool isInstanceOf(const clang::FunctionDecl &function, const clang::FunctionDecl &pattern);

/// Makes Clang forget that it has made the body of such a function.
void forgetBody(clang::FunctionDecl &function);

/// What was made of a class template, of a partial specialisation, or of a class within one.
std::vector<clang::CXXRecordDecl *> madeOf(const clang::CXXRecordDecl &record);

/// What was made of a static data member of a template.
std::vector<clang::VarDecl *> instancesOf(const clang::VarDecl &member);

/// Makes Clang forget that it has made the definition of such a variable.
void forgetDefinition(clang::VarDecl &member);

/// Where an instantiation was asked for; invalid for what is none.
clang::SourceLocation instantiatedAt(const clang::NamedDecl &decl);

} // namespace farside
