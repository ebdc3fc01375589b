#include "specialisations.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/Sema/Sema.h"
#include "clang/Sema/TemplateDeduction.h"

#include <string>
#include <vector>

namespace farside {

using namespace clang;

namespace {

// Clang never takes a specialisation back, so nothing public leads to the sets in which a template
// keeps them. An explicit instantiation may name what is not public.
template <class Access, typename Access::type Member> struct Opened {
  friend typename Access::type open(Access) { return Member; }
};
template <class Template, class Specialisation> struct SetOf {
  using type = llvm::FoldingSetVector<Specialisation> &(Template::*)() const;
};
struct Classes : SetOf<ClassTemplateDecl, ClassTemplateSpecializationDecl> {
  friend type open(Classes);
};
struct PartialClasses : SetOf<ClassTemplateDecl, ClassTemplatePartialSpecializationDecl> {
  friend type open(PartialClasses);
};
struct Variables : SetOf<VarTemplateDecl, VarTemplateSpecializationDecl> {
  friend type open(Variables);
};
struct PartialVariables : SetOf<VarTemplateDecl, VarTemplatePartialSpecializationDecl> {
  friend type open(PartialVariables);
};
template struct Opened<Classes, &ClassTemplateDecl::getSpecializations>;
template struct Opened<PartialClasses, &ClassTemplateDecl::getPartialSpecializations>;
template struct Opened<Variables, &VarTemplateDecl::getSpecializations>;
template struct Opened<PartialVariables, &VarTemplateDecl::getPartialSpecializations>;

template <class T, class Keep> void keepOnly(llvm::FoldingSetVector<T> &set, Keep keep) {
  std::vector<T *> kept;
  for (T &each : set)
    if (keep(each))
      kept.push_back(&each);
  set.clear();
  for (T *each : kept) {
    each->SetNextInBucket(nullptr);
    set.InsertNode(each);
  }
}

/// Whether `other` is the specialisation itself or an instantiation of it.
template <class Partial, class Special> bool comesFrom(const Special &other, const Special &decl) {
  if (other.getCanonicalDecl() == decl.getCanonicalDecl())
    return true;
  auto *source = dyn_cast<Partial *>(other.getSpecializedTemplateOrPartial());
  return source && source->getCanonicalDecl() == decl.getCanonicalDecl();
}

ClassTemplateDecl &redeclare(ASTContext &ast, ClassTemplateDecl &latest, CXXRecordDecl *previous) {
  CXXRecordDecl *pattern = latest.getTemplatedDecl();
  DeclContext *scope = latest.getDeclContext();
  SourceLocation at = latest.getLocation();
  auto *record = CXXRecordDecl::Create(ast, pattern->getTagKind(), scope, at, at,
                                       pattern->getIdentifier(), previous);
  auto *made = ClassTemplateDecl::Create(ast, scope, at, latest.getDeclName(),
                                         latest.getTemplateParameters(), record);
  record->setDescribedClassTemplate(made);
  made->setPreviousDecl(&latest);
  made->setAccess(latest.getAccess());
  made->setImplicit();
  return *made;
}

/// Declares a class template once more, with a tag in its name: Clang takes the name of a
/// specialisation from the declaration of the template that it stands under. It looks for the tag
/// at the first declaration of the pattern, so the pattern is another; and as that has no
/// definition, there is one more declaration to be the newest.
ClassTemplateDecl &declareWithTag(ASTContext &ast, ClassTemplateDecl &known, unsigned cell) {
  ClassTemplateDecl *latest = known.getMostRecentDecl();
  CXXRecordDecl *pattern = latest->getTemplatedDecl();
  ClassTemplateDecl &tagged = redeclare(ast, *latest, nullptr);
  std::string tag = "cell" + std::to_string(cell);
  llvm::StringRef text(tag);
  tagged.getTemplatedDecl()->addAttr(AbiTagAttr::CreateImplicit(ast, &text, 1));
  redeclare(ast, tagged, pattern);
  return tagged;
}

void forgetMembers(CXXRecordDecl &record) {
  for (Decl *member : record.decls())
    if (auto *function = dyn_cast<FunctionDecl>(member)) {
      if (auto *info = function->getMemberSpecializationInfo())
        info->setTemplateSpecializationKind(TSK_ImplicitInstantiation);
    } else if (auto *variable = dyn_cast<VarDecl>(member)) {
      if (auto *info = variable->getMemberSpecializationInfo())
        info->setTemplateSpecializationKind(TSK_ImplicitInstantiation);
    } else if (auto *inner = dyn_cast<CXXRecordDecl>(member)) {
      if (auto *info = inner->getMemberSpecializationInfo()) {
        info->setTemplateSpecializationKind(TSK_ImplicitInstantiation);
        forgetMembers(*inner);
      }
    }
}

} // namespace

bool isSpecialisation(const NamedDecl &decl) {
  if (const auto *record = dyn_cast<ClassTemplateSpecializationDecl>(&decl))
    return record->isExplicitSpecialization();
  const auto *variable = dyn_cast<VarTemplateSpecializationDecl>(&decl);
  return variable && variable->isExplicitSpecialization();
}

static bool isAskedFor(TemplateSpecializationKind kind) {
  return kind == TSK_ExplicitInstantiationDefinition ||
         kind == TSK_ExplicitInstantiationDeclaration;
}

bool isExplicitInstantiation(const Decl &decl) {
  if (const auto *record = dyn_cast<CXXRecordDecl>(&decl))
    return isAskedFor(record->getTemplateSpecializationKind());
  if (const auto *function = dyn_cast<FunctionDecl>(&decl))
    return isAskedFor(function->getTemplateSpecializationKind());
  const auto *variable = dyn_cast<VarDecl>(&decl);
  return variable && isAskedFor(variable->getTemplateSpecializationKind());
}

bool isInstance(const NamedDecl &decl) {
  if (const auto *record = dyn_cast<CXXRecordDecl>(&decl))
    return record->getTemplateSpecializationKind() == TSK_ImplicitInstantiation;
  if (const auto *function = dyn_cast<FunctionDecl>(&decl))
    return function->getTemplateSpecializationKind() == TSK_ImplicitInstantiation;
  const auto *variable = dyn_cast<VarDecl>(&decl);
  return variable && variable->getTemplateSpecializationKind() == TSK_ImplicitInstantiation;
}

template <class Partial, class Special>
static bool wouldComeFrom(Sema &sema, Partial &partial, const Special &made) {
  auto *of = partial.getSpecializedTemplate();
  if (made.getSpecializedTemplate()->getCanonicalDecl() != of->getCanonicalDecl() ||
      llvm::none_of(of->specializations(), [&](auto *each) { return each == &made; }))
    return false;
  sema::TemplateDeductionInfo info(partial.getLocation());
  if (sema.DeduceTemplateArguments(&partial, made.getTemplateArgs().asArray(), info) !=
      TemplateDeductionResult::Success)
    return false;
  auto *source = dyn_cast<Partial *>(made.getSpecializedTemplateOrPartial());
  return !source || (source->getCanonicalDecl() != partial.getCanonicalDecl() &&
                     sema.getMoreSpecializedPartialSpecialization(
                         &partial, source, partial.getLocation()) == &partial);
}

bool isOvertaken(Sema &sema, const NamedDecl &made, NamedDecl &partial) {
  if (!isInstance(made))
    return false;
  const auto *record = dyn_cast<ClassTemplateSpecializationDecl>(&made);
  const auto *variable = dyn_cast<VarTemplateSpecializationDecl>(&made);
  if (auto *classes = dyn_cast<ClassTemplatePartialSpecializationDecl>(&partial))
    return record && wouldComeFrom(sema, *classes, *record);
  auto *variables = dyn_cast<VarTemplatePartialSpecializationDecl>(&partial);
  return variable && variables && wouldComeFrom(sema, *variables, *variable);
}

ClassTemplateDecl *forgetSpecialisation(Sema &sema, NamedDecl &decl, unsigned cell) {
  if (auto *record = dyn_cast<ClassTemplateSpecializationDecl>(&decl)) {
    using Partial = ClassTemplatePartialSpecializationDecl;
    ClassTemplateDecl *of = record->getSpecializedTemplate();
    keepOnly((of->*open(Classes()))(), [&](const ClassTemplateSpecializationDecl &each) {
      return !comesFrom<Partial>(each, *record);
    });
    keepOnly((of->*open(PartialClasses()))(), [&](const Partial &each) {
      return each.getCanonicalDecl() != record->getCanonicalDecl();
    });
    return &declareWithTag(sema.getASTContext(), *of, cell);
  }
  if (auto *variable = dyn_cast<VarTemplateSpecializationDecl>(&decl)) {
    using Partial = VarTemplatePartialSpecializationDecl;
    VarTemplateDecl *of = variable->getSpecializedTemplate();
    keepOnly((of->*open(Variables()))(), [&](const VarTemplateSpecializationDecl &each) {
      return !comesFrom<Partial>(each, *variable);
    });
    keepOnly((of->*open(PartialVariables()))(), [&](const Partial &each) {
      return each.getCanonicalDecl() != variable->getCanonicalDecl();
    });
  }
  return nullptr;
}

void standUnder(ClassTemplateDecl &declaration, NamedDecl &decl) {
  auto *record = dyn_cast<ClassTemplateSpecializationDecl>(&decl);
  if (!record || !isSpecialisation(decl) ||
      record->getSpecializedTemplate()->getCanonicalDecl() != declaration.getCanonicalDecl())
    return;
  for (TagDecl *each : record->redecls())
    cast<ClassTemplateSpecializationDecl>(each)->setSpecializedTemplate(&declaration);
}

void forgetInstantiation(Decl &decl) {
  if (auto *record = dyn_cast<CXXRecordDecl>(&decl)) {
    record->setTemplateSpecializationKind(TSK_ImplicitInstantiation);
    forgetMembers(*record);
  } else if (auto *function = dyn_cast<FunctionDecl>(&decl)) {
    function->setTemplateSpecializationKind(TSK_ImplicitInstantiation);
  } else if (auto *variable = dyn_cast<VarDecl>(&decl)) {
    variable->setTemplateSpecializationKind(TSK_ImplicitInstantiation);
  }
}

bool isInstanceOf(const FunctionDecl &function, const FunctionDecl &pattern) {
  const FunctionDecl *from = function.getTemplateInstantiationPattern(/*ForDefinition=*/false);
  return function.getTemplateSpecializationKind() != TSK_ExplicitSpecialization && from &&
         from->getCanonicalDecl() == pattern.getCanonicalDecl();
}

void forgetBody(FunctionDecl &function) {
  function.setBody(nullptr);
  // Clang makes what it has not made anywhere.
  if (MemberSpecializationInfo *member = function.getMemberSpecializationInfo())
    member->setPointOfInstantiation({});
  else if (FunctionTemplateSpecializationInfo *info = function.getTemplateSpecializationInfo())
    info->setPointOfInstantiation({});
}

std::vector<CXXRecordDecl *> madeOf(const CXXRecordDecl &record) {
  const auto *partial = dyn_cast<ClassTemplatePartialSpecializationDecl>(&record);
  ClassTemplateDecl *of =
      partial ? partial->getSpecializedTemplate() : record.getDescribedClassTemplate();
  std::vector<CXXRecordDecl *> made;
  if (of)
    llvm::append_range(made, of->specializations());
  const auto *outer = dyn_cast<CXXRecordDecl>(record.getDeclContext());
  if (!outer || !outer->isDependentContext())
    return made;
  for (const CXXRecordDecl *each : madeOf(*outer))
    for (NamedDecl *member : each->lookup(record.getDeclName()))
      if (auto *inner = dyn_cast<CXXRecordDecl>(member)) {
        const CXXRecordDecl *from = inner->getInstantiatedFromMemberClass();
        if (from && from->getCanonicalDecl() == record.getCanonicalDecl())
          made.push_back(inner);
      } else if (auto *pattern = dyn_cast<ClassTemplateDecl>(member); pattern && of) {
        const ClassTemplateDecl *from = pattern->getInstantiatedFromMemberTemplate();
        if (from && from->getCanonicalDecl() == of->getCanonicalDecl())
          llvm::append_range(made, pattern->specializations());
      }
  return made;
}

std::vector<VarDecl *> instancesOf(const VarDecl &member) {
  std::vector<VarDecl *> found;
  for (CXXRecordDecl *special : madeOf(*cast<CXXRecordDecl>(member.getDeclContext())))
    for (NamedDecl *each : special->lookup(member.getDeclName()))
      if (auto *variable = dyn_cast<VarDecl>(each)) {
        const VarDecl *from = variable->getInstantiatedFromStaticDataMember();
        if (from && from->getCanonicalDecl() == member.getCanonicalDecl() &&
            variable->getTemplateSpecializationKind() != TSK_ExplicitSpecialization)
          found.push_back(variable);
      }
  return found;
}

void forgetDefinition(VarDecl &member) {
  member.setInit(nullptr);
  member.setLexicalDeclContext(member.getDeclContext());
  MemberSpecializationInfo *info = member.getMemberSpecializationInfo();
  info->setTemplateSpecializationKind(TSK_ImplicitInstantiation);
  info->setPointOfInstantiation({});
}

SourceLocation instantiatedAt(const NamedDecl &decl) {
  if (const auto *record = dyn_cast<ClassTemplateSpecializationDecl>(&decl))
    return record->getPointOfInstantiation();
  if (const auto *record = dyn_cast<CXXRecordDecl>(&decl)) {
    const MemberSpecializationInfo *member = record->getMemberSpecializationInfo();
    return member ? member->getPointOfInstantiation() : SourceLocation();
  }
  if (const auto *function = dyn_cast<FunctionDecl>(&decl))
    return function->getPointOfInstantiation();
  const auto *variable = dyn_cast<VarDecl>(&decl);
  return variable ? variable->getPointOfInstantiation() : SourceLocation();
}

} // namespace farside
