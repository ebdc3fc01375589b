// The values that cells keep under a name because they have no form in Python.
#pragma once

namespace clang {
class VarDecl;
}

namespace farside {

/// Has all temporaries of the expression that such a variable refers to live as long as it does:
/// the value may be a part of one, or lead to it, as an iterator does.
void keepTemporaries(clang::VarDecl &variable);

} // namespace farside
