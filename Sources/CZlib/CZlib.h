// The public interface of zlib, which has to be there.
#include <zlib.h>
