#include "diagnostics.h"

#include "clang/Basic/AllDiagnostics.h"
#include "clang/Basic/DiagnosticIDs.h"
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

} // namespace

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

void DiagnosticCollector::HandleDiagnostic(DiagnosticsEngine::Level level,
                                           const clang::Diagnostic &info) {
  DiagnosticConsumer::HandleDiagnostic(level, info);
  // Two cells are no files, so Clang takes two places at one offset for one file included twice.
  if (level == DiagnosticsEngine::Note && info.hasSourceManager() &&
      info.getSourceManager().isInMainFile(info.getLocation()))
    return;
  noteFile(level, info);
  llvm::SmallString<256> message;
  info.FormatDiagnostic(message);
  std::string option =
      info.getDiags()->getDiagnosticIDs()->getWarningOptionForDiag(info.getID()).str();
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

void DiagnosticCollector::dropUnused(unsigned line, unsigned column) {
  for (size_t i = Found.size(); i-- > 0;) {
    llvm::StringRef option = Found[i].getString("option").value_or("");
    std::pair place{Found[i].getInteger("line").value_or(0),
                    Found[i].getInteger("column").value_or(0)};
    if (option.starts_with("-Wunused-") && place >= std::pair<int64_t, int64_t>{line, column} &&
        Found[i].getString("severity") == "warning") {
      Found.erase(Found.begin() + static_cast<ptrdiff_t>(i));
      Notes.erase(Notes.begin() + static_cast<ptrdiff_t>(i));
    }
  }
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
  return all;
}

std::string DiagnosticCollector::firstError() const {
  for (const Object &object : Found)
    if (auto level = object.getString("severity"); level == "error" || level == "fatal")
      return object.getString("message").value_or("").str();
  return {};
}

} // namespace farside
