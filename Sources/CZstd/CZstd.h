// The public interface of zstd, where its header is found (Package.swift).
#include <zstd.h>
#include <zstd_errors.h>
