// The public interface of lz4, where its header is found (Package.swift).
#include <lz4.h>
