"""The vocabulary of LLVM ORC: SPS values, EPC frames, bootstrap symbols, JITDylibs."""
