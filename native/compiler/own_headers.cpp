#include "own_headers.h"

#include "clang/Basic/SourceManager.h"
#include "clang/Lex/MacroInfo.h"
#include "clang/Lex/Preprocessor.h"
#include "llvm/Support/Path.h"

#include <memory>
#include <optional>

namespace farside {

using namespace clang;

namespace {

bool isOwnHeader(FileID file, const SourceManager &sources) {
  OptionalFileEntryRef entry = sources.getFileEntryRefForID(file);
  if (!entry)
    return false;
  llvm::StringRef folder = llvm::sys::path::parent_path(entry->getName());
  return llvm::sys::path::filename(folder) == "farside" &&
         llvm::sys::path::filename(llvm::sys::path::parent_path(folder)) == "include";
}

/// Tells when a header of farside's is entered that no other of them includes, and left.
class OwnHeaders : public PPCallbacks {
public:
  explicit OwnHeaders(Preprocessor &preprocessor) : Source(preprocessor) {}

  void FileChanged(SourceLocation at, FileChangeReason reason, SrcMgr::CharacteristicKind,
                   FileID left) override {
    const SourceManager &sources = Source.getSourceManager();
    if (reason == EnterFile && !Hidden && isOwnHeader(sources.getFileID(at), sources)) {
      Outermost = sources.getFileID(at);
      Hidden.emplace(Source);
    } else if (reason == ExitFile && Hidden && left == Outermost) {
      Hidden.reset();
    }
  }

private:
  Preprocessor &Source;
  FileID Outermost;
  std::optional<HiddenMacros> Hidden;
};

bool isUsers(llvm::StringRef name, SourceLocation at, const SourceManager &sources) {
  return !name.starts_with("_") && !name.starts_with("FARSIDE_") && name != "NDEBUG" &&
         at.isValid() && !sources.isInSystemHeader(at) && !sources.isWrittenInBuiltinFile(at);
}

} // namespace

HiddenMacros::HiddenMacros(Preprocessor &preprocessor) : Source(preprocessor) {
  const SourceManager &sources = preprocessor.getSourceManager();
  // Not those of a PCH that were never used, which would be read for nothing.
  for (const auto &macro : preprocessor.macros(/*IncludeExternalMacros=*/false))
    if (auto *name = const_cast<IdentifierInfo *>(macro.first); name->hasMacroDefinition())
      if (MacroInfo *info = preprocessor.getMacroInfo(name);
          info != nullptr && isUsers(name->getName(), info->getDefinitionLoc(), sources))
        Hidden.emplace_back(name, info);
  for (auto [name, info] : Hidden)
    preprocessor.appendMacroDirective(name, new (preprocessor.getPreprocessorAllocator())
                                                UndefMacroDirective(info->getDefinitionEndLoc()));
}

HiddenMacros::~HiddenMacros() {
  for (auto [name, info] : Hidden)
    Source.appendDefMacroDirective(name, info);
}

void protectOwnHeaders(Preprocessor &preprocessor) {
  preprocessor.addPPCallbacks(std::make_unique<OwnHeaders>(preprocessor));
}

} // namespace farside
