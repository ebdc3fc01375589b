#include "server.h"

#include "invocation.h"
#include "pch_names.h"
#include "process.h"

#include "clang/Basic/Version.h"
#include "clang/Lex/PreprocessorOptions.h"
#include "llvm/Demangle/Demangle.h"

#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

namespace farside {

using llvm::json::Array;
using llvm::json::Object;

namespace {

/// After a gap of this length nobody is taken to wait for the compiler: a user types, or a cell
/// runs.
constexpr int IdleMilliseconds = 3;
/// Snapshots that are taken in such gaps keep this distance, so that they take a tenth of the time
/// at most; sooner after one a gap has to be long.
constexpr std::chrono::milliseconds IdleDistance{20};
constexpr int LongIdleMilliseconds = 20;
/// While a session starts the near side is busy, and waits for nobody; what is done beside it slows
/// it down.
constexpr int FirstIdleMilliseconds = 60;
/// Bounds the time that a replay takes.
constexpr int64_t MaxUnsavedMicros = 100'000;
/// A fork costs less.
constexpr std::chrono::milliseconds LongReplay{5};

std::vector<std::string> strings(const Array *array) {
  std::vector<std::string> found;
  if (array)
    for (const llvm::json::Value &value : *array)
      if (auto text = value.getAsString())
        found.push_back(text->str());
  return found;
}

Array idsOf(const std::vector<DeclarationId> &ids) {
  Array found;
  for (const DeclarationId &id : ids)
    found.push_back(Array{id.cell, id.index, static_cast<unsigned>(id.part)});
  return found;
}

std::vector<DeclarationId> idsIn(const Array *array) {
  std::vector<DeclarationId> found;
  for (size_t i = 0; array && i < array->size(); ++i) {
    const Array *entry = (*array)[i].getAsArray();
    if (!entry || entry->size() != 3)
      continue;
    int64_t part = (*entry)[2].getAsInteger().value_or(0);
    if (part < DeclarationId::whole || part > DeclarationId::kept)
      continue;
    found.push_back({static_cast<unsigned>((*entry)[0].getAsInteger().value_or(0)),
                     static_cast<unsigned>((*entry)[1].getAsInteger().value_or(0)),
                     static_cast<DeclarationId::Part>(part)});
  }
  return found;
}

Object messageOnly(llvm::StringRef message) {
  return Object{{"severity", "error"}, {"message", message.str()},
                {"option", ""},        {"file", ""},
                {"line", 0},           {"column", 0},
                {"ranges", Array{}},   {"fixits", Array{}},
                {"source", ""},        {"notes", Array{}}};
}

/// Names as the programmer wrote them: without the tags by which what is defined again is told from
/// the old.
std::string demangled(const std::string &name) {
  static const llvm::StringRef tag = "[abi:cell";
  std::string text = llvm::demangle(name);
  for (size_t at = 0; (at = text.find(tag, at)) != std::string::npos;) {
    size_t end = text.find_first_not_of("0123456789", at + tag.size());
    if (end != std::string::npos && text[end] == ']')
      text.erase(at, end + 1 - at);
    else
      ++at;
  }
  return text;
}

Array describe(const std::vector<Amendment> &amendments) {
  Array found;
  for (const Amendment &each : amendments)
    found.push_back(Array{each.offset, each.blanks, each.text});
  return found;
}

Object describe(const ShownType &type) {
  Object value{{"type", type.name}};
  if (type.opaque) {
    value["opaque"] = true;
    value["offset"] = type.offset;
  }
  if (type.underlying.empty())
    return value;
  Array enumerators;
  for (const auto &[number, name] : type.enumerators)
    enumerators.push_back(Array{number, name});
  value["underlying"] = type.underlying;
  value["enumerators"] = std::move(enumerators);
  return value;
}

} // namespace

int Server::run() {
  dieWithPeer(Line.fd());
  while (true) {
    awaitRequest();
    Object request = Line.receive();
    endIfAlone();
    if (std::exchange(JustWoken, false)) {
      // A snapshot that was spoken to is a compiler like any other from here on.
      dieWithPeer(Line.fd());
      Nudged = {};
      // It leaves another in its place first: what is taken back once is often taken back twice.
      if (!std::exchange(HasTwin, false) && snapshot())
        continue;
    }
    // What will be taken back in any case leaves the present state in its place, too.
    if (SnapshotDue && request.getBoolean("passing").value_or(false) && snapshot())
      continue;
    dispatch(request);
  }
}

/// Uses the time in which nothing is waiting: for a snapshot that is due, and to have the one get
/// ready that was left in a hurry.
void Server::awaitRequest() {
  if (!JustWoken && SnapshotDue && ParsedMicros > MaxUnsavedMicros) {
    snapshot();
  } else if (!JustWoken && (SnapshotDue || Nudge) && idleFor(Line.fd(), idleMilliseconds())) {
    if (Nudge)
      ::eventfd_write(Nudge.get(), 1);
    Nudge = {};
    if (SnapshotDue)
      snapshot(/*idle=*/true);
  }
  while (JustWoken && !HasTwin && Nudged && isFirst(Nudged.get(), Line.fd())) {
    Nudged = {};
    HasTwin = !fork();
    if (HasTwin)
      getReady();
  }
}

int Server::idleMilliseconds() const {
  if (LastCell < 2 && LastIdle == decltype(LastIdle){})
    return FirstIdleMilliseconds;
  return std::chrono::steady_clock::now() - LastIdle < IdleDistance ? LongIdleMilliseconds
                                                                    : IdleMilliseconds;
}

/// Takes a snapshot; true in the process that now sleeps.
///
/// While nobody waits it makes the one that it is to leave in its place at once, and both processes
/// take the faults of the pages that the next cell will write.
bool Server::snapshot(bool idle) {
  Clang->warmUp();
  SnapshotDue = false;
  HasSnapshot = true;
  ParsedMicros = 0;
  if (!idle)
    return fork();
  Hot.note();
  bool sleeps = fork();
  if (!sleeps) {
    Nudge = {}; // that one gets ready by itself
    Hot.makeOwn();
    Clang->practise();
    LastIdle = std::chrono::steady_clock::now();
  } else if ((HasTwin = !fork())) {
    getReady();
  }
  return sleeps;
}

/// Has the pages in place that the next cell will use.
void Server::getReady() {
  Hot.makeOwn();
  Hot.map();
  Clang->practise();
}

/// Forks a process that sleeps on a socket of its own, and tells the peer of it; true in that
/// process.
bool Server::fork() {
  pid_t pid = -1;
  Descriptor nudge(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Descriptor near = forkSnapshot(Line, pid);
  if (pid == 0) {
    Nudge = {};
    Nudged = std::move(nudge);
    HasTwin = false;
    return JustWoken = true; // by the time this is looked at
  }
  if (near) {
    Nudge = std::move(nudge);
    Line.send(Object{{"event", "snapshot"}, {"after", LastCell}, {"pid", pid}}, {}, near.get());
  }
  return false;
}

void Server::dispatch(const Object &request) {
  llvm::StringRef op = request.getString("op").value_or("");
  if (op == "start" && !Clang)
    start(request);
  else if (op == "compile" && Clang)
    compile(request);
  else if (op == "replay" && Clang)
    replay(request);
  else if (op == "demangle")
    demangle(request);
  else
    reject("the compiler was asked for something that it does not do now");
}

/// Readable names for the linker's messages; LLVM has the demangler that Python lacks.
void Server::demangle(const Object &request) {
  Array names;
  for (const std::string &name : strings(request.getArray("names")))
    names.push_back(demangled(name));
  Line.send(Object{{"ok", true}, {"names", std::move(names)}});
}

/// Waits for the peer to let go. It may not have looked at the answer yet, if the cell was sent
/// early, and want names for the cell before it. To end at once would take a processor from who
/// reads the answer: to give back its memory takes a process a millisecond.
void Server::serveNames() {
  while (true)
    if (Object request = Line.receive(); request.getString("op") == "demangle")
      demangle(request);
    else
      leave(2);
}

void Server::reject(llvm::StringRef message) {
  Line.send(Object{{"ok", false}, {"diagnostics", Array{messageOnly(message)}}});
}

/// "used", or why the PCH was not.
std::string Server::startWithPch(const std::vector<std::string> &args, const std::string &pch,
                                 CompilerSettings settings) {
  if (::access(pch.c_str(), R_OK) != 0)
    return "missing or unreadable";
  auto invocation = makeInvocation(args, Options, Collector);
  if (!invocation)
    return "the options are not accepted";
  auto names = PchNames::load(pch, headerFingerprint(invocation->getHeaderSearchOpts()));
  if (!names)
    return "damaged, or made for other headers";
  invocation->getPreprocessorOpts().ImplicitPCHInclude = pch;
  Clang = Compiler::create(invocation, Collector, settings, std::move(names));
  if (Clang)
    return "used";
  std::string why = Collector.firstError();
  return why.empty() ? "not usable" : why;
}

void Server::start(const Object &request) {
  if (auto bytes = request.getInteger("memory"))
    limitMemory(static_cast<uint64_t>(*bytes));
  std::vector<std::string> args = strings(request.getArray("args"));
  CompilerSettings settings{request.getBoolean("values").value_or(true),
                            request.getBoolean("redefinition").value_or(true),
                            request.getBoolean("instances").value_or(false)};
  std::string used = "none";
  if (auto pch = request.getString("pch")) {
    used = startWithPch(args, pch->str(), settings);
    if (!Clang)
      Collector.take();
  }
  if (!Clang) {
    // Cells may define macros that make the library another before they include it.
    settings.instances = false;
    if (auto invocation = makeInvocation(args, Options, Collector))
      Clang = Compiler::create(invocation, Collector, settings, nullptr);
  }
  if (Clang)
    Clang->showElements(request.getInteger("elements").value_or(100));
  Object response{{"ok", Clang != nullptr}, {"diagnostics", Collector.take()}};
  if (Clang) {
    response["version"] = clang::getClangFullVersion();
    response["triple"] = Clang->triple();
    response["pch"] = used;
    SnapshotDue = true;
  }
  Line.send(std::move(response));
}

void Server::compile(const Object &request) {
  auto number = static_cast<unsigned>(request.getInteger("cell").value_or(0));
  llvm::StringRef code = request.getString("code").value_or("");
  std::vector<DeclarationId> hidden = idsIn(request.getArray("hidden"));
  if (!Clang->canHide(number, hidden))
    return reject("what is to be hidden from this cell is not there, or is something else");
  // Without a snapshot the cells since the last would have to be read again, or the process started
  // anew where there is none at all: the first cell may come before a gap.
  bool mayFail = !HasSnapshot || (hidden.empty() && Clang->mayDefineAgain(code));
  if (SnapshotDue && mayFail && snapshot())
    return;
  Collector.OnGivingUp = [&] {
    Cell rejected;
    rejected.conflicts = Clang->conflicts(code, false);
    rejected.clashes = Clang->clashes();
    rejected.amendments = Clang->amendments();
    answer(std::move(rejected));
    leave(0);
  };
  Cell cell = Clang->compile(
      number, code, std::move(hidden), request.getBoolean("plain").value_or(false),
      request.getBoolean("given").value_or(false), request.getBoolean("all").value_or(false));
  Collector.OnGivingUp = nullptr;
  bool ok = cell.ok;
  int64_t parseMicros = cell.parseMicros;
  answer(std::move(cell));
  if (!ok)
    serveNames();   // what Clang holds now is of no use; the snapshots live on
  Clang->prepare(); // while the cell is linked and run
  LastCell = number;
  ParsedMicros += parseMicros;
  SnapshotDue = true;
}

void Server::answer(Cell cell) {
  Object response{{"ok", cell.ok},
                  {"display_failed", cell.displayFailed},
                  {"diagnostics", Collector.take()},
                  {"declared", std::move(cell.declared)},
                  {"value", nullptr},
                  {"conflicts", Array(cell.conflicts)},
                  {"clashes", idsOf(cell.clashes)},
                  {"amendments", describe(cell.amendments)},
                  {"redefined", Array(cell.redefined)},
                  {"cookie", cell.cookie.encode()},
                  {"line", cell.onlyLine},
                  {"timings", Object{{"parse", cell.parseMicros},
                                     {"optimise", cell.optimiseMicros},
                                     {"emit", cell.emitMicros}}}};
  if (cell.value)
    response["value"] = describe(*cell.value);
  Array values;
  for (const std::optional<ShownType> &value : cell.values)
    values.push_back(value ? llvm::json::Value(describe(*value)) : nullptr);
  response["values"] = std::move(values);
  Line.send(std::move(response), cell.object);
}

void Server::replay(const Object &request) {
  auto began = std::chrono::steady_clock::now();
  const Array *cells = request.getArray("cells");
  for (size_t i = 0; cells && i < cells->size(); ++i) {
    const Object *entry = (*cells)[i].getAsObject();
    Cookie cookie;
    auto number = static_cast<unsigned>(entry ? entry->getInteger("cell").value_or(0) : 0);
    std::string wrong;
    if (!entry || !Cookie::decode(entry->getString("cookie").value_or(""), cookie))
      wrong = "what is kept of this cell for a replay (its cookie) is missing or damaged";
    else if (!Clang->canHide(number, cookie.hidden))
      wrong = "what is kept of this cell for a replay (its cookie) names declarations that earlier "
              "cells have not made, or that are something else";
    else if (!Clang->replay(number, entry->getString("code").value_or(""), cookie))
      wrong = "the names of unnamed types differ at the replay";
    if (!wrong.empty()) {
      Array diagnostics = Collector.take();
      if (diagnostics.empty())
        diagnostics.push_back(messageOnly(wrong));
      Line.send(Object{{"ok", false}, {"cell", number}, {"diagnostics", std::move(diagnostics)}});
      leave(0);
    }
    LastCell = number;
    SnapshotDue = true;
  }
  // What was taken back once is likely to be taken back again, as by cells that define something
  // again; these cells are not to be read each time, nor is a process to be started.
  auto took = std::chrono::steady_clock::now() - began;
  if (took > LongReplay || !HasSnapshot)
    ParsedMicros = MaxUnsavedMicros + 1;
  Collector.take(); // warnings were shown the first time
  Line.send(Object{{"ok", true}});
}

} // namespace farside
