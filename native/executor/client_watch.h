// Ends a plain ORC executor whose client is gone while code runs for it.
//
// The end of the client's stream is seen between calls only. A supervisor would tell while one
// runs; a plain executor has none, and code that does not end would keep it for ever, on nobody's
// behalf.
#pragma once

namespace farside {

/// Starts a thread that watches the stream that calls come by. The end of that ends the process
/// and all below it, if a call that was running then still runs a second later.
void watchClient(int stream);

} // namespace farside
