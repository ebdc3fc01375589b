// Pragmas about the file that they stand in, such as `once`. A cell is no file.
#pragma once

namespace clang {
class Preprocessor;
}

namespace farside {

/// Puts handlers that do nothing in a cell in the place of Clang's, which crash there.
void installFilePragmas(clang::Preprocessor &preprocessor);

} // namespace farside
