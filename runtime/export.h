// export.h - what libbolide.so shows to the libraries and the extension module that link to it.
#pragma once

#define BOLIDE_API __attribute__((visibility("default")))
