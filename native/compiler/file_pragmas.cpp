#include "file_pragmas.h"

#include "clang/Basic/SourceManager.h"
#include "clang/Lex/Pragma.h"
#include "clang/Lex/Preprocessor.h"

namespace farside {

using namespace clang;

namespace {

/// What a pragma does to the file that it stands in, which Clang's own handlers take for granted.
using FilePragmaAction = void (Preprocessor::*)(Token &);

/// A pragma about the file that it stands in. It has no effect in a cell, which is no file.
class FilePragma : public PragmaHandler {
public:
  FilePragma(llvm::StringRef name, FilePragmaAction action) : PragmaHandler(name), Action(action) {}

  void HandlePragma(Preprocessor &preprocessor, PragmaIntroducer, Token &token) override {
    SourceManager &sources = preprocessor.getSourceManager();
    if (sources.getFileEntryRefForID(sources.getFileID(token.getLocation())))
      (preprocessor.*Action)(token);
  }

private:
  FilePragmaAction Action;
};

} // namespace

void installFilePragmas(Preprocessor &preprocessor) {
  auto systemHeader = &Preprocessor::HandlePragmaSystemHeader;
  preprocessor.AddPragmaHandler(new FilePragma("once", &Preprocessor::HandlePragmaOnce));
  preprocessor.AddPragmaHandler("GCC", new FilePragma("system_header", systemHeader));
  preprocessor.AddPragmaHandler("clang", new FilePragma("system_header", systemHeader));
  preprocessor.AddPragmaHandler(
      "GCC", new FilePragma("dependency", &Preprocessor::HandlePragmaDependency));
  preprocessor.AddPragmaHandler(
      "clang", new FilePragma("dependency", &Preprocessor::HandlePragmaDependency));
}

} // namespace farside
