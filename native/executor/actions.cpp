#include "actions.h"

#include "wrapper.h"

namespace farside {

namespace {

/// An action answers with an SPSError of one byte at least; an empty result is a failure, too.
Error runAction(uint64_t function, std::string_view arguments) {
  WrapperBuffer result(callWrapper(function, arguments));
  if (result.isOutOfBandError())
    return Error(result.errorText());
  Reader in(result.bytes());
  bool failed = false;
  if (!decode(in, failed))
    return Error("allocation action returned no result");
  if (!failed)
    return {};
  std::string text;
  if (!decode(in, text))
    text = "allocation action returned a malformed error";
  return Error(std::move(text));
}

} // namespace

Expected<std::vector<OwnedCall>> runFinalizeActions(const std::vector<ActionPair> &actions) {
  std::vector<OwnedCall> deallocs;
  for (const auto &[finalize, dealloc] : actions) {
    if (auto [function, arguments] = finalize; function != 0)
      if (Error error = runAction(function, arguments)) {
        Error undo = runDeallocActions(deallocs);
        return undo ? Error(error.text() + "; " + undo.text()) : error;
      }
    if (auto [function, arguments] = dealloc; function != 0)
      deallocs.push_back({function, std::string(arguments)});
  }
  return deallocs;
}

Error runDeallocActions(const std::vector<OwnedCall> &calls) {
  std::string failures;
  for (auto call = calls.rbegin(); call != calls.rend(); ++call)
    if (Error error = runAction(call->Function, call->Arguments))
      failures += (failures.empty() ? "" : "; ") + error.text();
  return failures.empty() ? Error() : Error(std::move(failures));
}

} // namespace farside
