"""Libraries that are found by themselves: which to load for a name that nothing defines yet.

The far side's librarian knows what the libraries on its search path define (`librarian`). A Bloom
filter over those names lies on this side (`bloom`), so that nobody is asked for names which no
library has. Which of several libraries it is to be is decided here (`choice`), and so is what the
user is told (`hints`). `autoload` puts it together; `headers` is about header files.
"""
