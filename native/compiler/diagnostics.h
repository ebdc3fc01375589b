// Clang's diagnostics as the wire has them.
#pragma once

#include "clang/Basic/Diagnostic.h"
#include "clang/Frontend/DiagnosticRenderer.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/JSON.h"

#include <functional>
#include <memory>
#include <string>

namespace clang {
class NamedDecl;
class SourceManager;
} // namespace clang

namespace farside {

/// Whether an error says that a call may mean several functions.
bool isAmbiguousCall(unsigned error);

/// Collects what Clang says; take() hands it over and begins anew.
///
/// Besides, it remembers the files that diagnostics and their notes point into, from which a clash
/// with the precompiled header is told.
class DiagnosticCollector : public clang::DiagnosticConsumer {
public:
  /// Called when Clang reaches its limit of errors. It would go on reading without another word,
  /// and after some errors without end.
  std::function<void()> OnGivingUp;

  /// Called with an error, its place, and the place of the earlier declaration that it refers to;
  /// see Clashes::note.
  std::function<void(unsigned, clang::SourceLocation, clang::SourceLocation,
                     const clang::SourceManager &)>
      OnEarlier;

  /// Called with everything that Clang says, before anything is made of it.
  std::function<void(const clang::Diagnostic &)> OnSaid;

  /// Called when what is specialised has been made of its template already, with the place of the
  /// specialisation.
  std::function<void(const clang::NamedDecl &, clang::SourceLocation)> OnSpecialised;

  /// Tells whether what Clang has just parsed is an expression whose value is shown. Clang does not
  /// know that, and that the value is not used is not told, not even where that is an error.
  std::function<bool()> InShown;

  explicit DiagnosticCollector(clang::DiagnosticOptions &options);
  ~DiagnosticCollector() override;

  void BeginSourceFile(const clang::LangOptions &language, const clang::Preprocessor *) override;
  void HandleDiagnostic(clang::DiagnosticsEngine::Level level,
                        const clang::Diagnostic &info) override;

  /// How many there are since the last take().
  size_t count() const { return Found.size(); }
  /// Forgets all but the first `kept`.
  void dropFrom(size_t kept);

  llvm::json::Array take();
  /// Files named by errors and by their notes since the last take().
  const std::vector<std::string> &errorFiles() const { return ErrorFiles; }
  /// Whether a header was not as it was when it went into the PCH, since the last take().
  bool headerChanged() const { return HeaderChanged; }
  /// The first error as plain text, or the empty string.
  std::string firstError() const;

private:
  class Renderer;

  llvm::json::Object &target(clang::DiagnosticsEngine::Level level);
  void noteEarlier(clang::DiagnosticsEngine::Level level, const clang::Diagnostic &info);
  bool isNoNews(clang::DiagnosticsEngine::Level level, const clang::Diagnostic &info,
                llvm::StringRef message);
  bool dropUnused(clang::DiagnosticsEngine::Level level, const clang::Diagnostic &info,
                  llvm::StringRef option);
  void noteFile(clang::DiagnosticsEngine::Level level, const clang::Diagnostic &info);

  clang::DiagnosticOptions &Options;
  std::unique_ptr<Renderer> Render;
  std::vector<llvm::json::Object> Found;
  std::vector<llvm::json::Array> Notes;
  std::vector<std::string> ErrorFiles;
  bool InError = false;
  bool HeaderChanged = false;
  unsigned LastError = 0;
  clang::SourceLocation LastErrorAt;
  bool Dropping = false; // the last diagnostic, and so its notes
  clang::SourceLocation LastSaid;
  llvm::DenseSet<clang::SourceLocation> Unterminated; // pragmas that were warned of
};

} // namespace farside
