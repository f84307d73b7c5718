// ops_fft.cpp - the Fourier transforms that python/bolide/fft.py puts PyTorch's names and arguments around.
#include <pybind11/pybind11.h>

#include "bindings/ops_table.h"
#include "runtime/fft.h"

namespace bolide::python {
namespace {

// The methods of what is Python: python/bolide/_spectrogram.py. They take what kMaxParameters leaves room for.
template <class... A>
PyObject* call_python(const char* name, A... arguments) {
  const auto home = pybind11::module_::import("bolide._spectrogram");
  return home.attr(name)(pybind11::handle(arguments)...).release().ptr();
}
PyObject* stft_method(PyObject* x, PyObject* n_fft, PyObject* hop_length, PyObject* win_length, PyObject* window,
                      PyObject* center, PyObject* pad_mode, PyObject* normalized, PyObject* onesided,
                      PyObject* return_complex) {
  return call_python("stft", x, n_fft, hop_length, win_length, window, center, pad_mode, normalized, onesided,
                     return_complex);
}
PyObject* istft_method(PyObject* x, PyObject* n_fft, PyObject* hop_length, PyObject* win_length, PyObject* window,
                       PyObject* center, PyObject* normalized, PyObject* onesided, PyObject* length,
                       PyObject* return_complex) {
  return call_python("istft", x, n_fft, hop_length, win_length, window, center, normalized, onesided, length,
                     return_complex);
}

}  // namespace

std::vector<Op> fft_rows() {
  return {
      op<&stft_method>("stft",
                       "input, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode='reflect', "
                       "normalized=False, onesided=None, return_complex=None",
                       "bolide.stft() of it.", kMethod),
      op<&istft_method>("istft",
                        "input, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False, "
                        "onesided=None, length=None, return_complex=False",
                        "bolide.istft() of it.", kMethod),
      op<&fft_c2c>("_fft_c2c", "input, dim, scale, inverse", "Complex numbers to complex numbers.", kFunction),
      op<&fft_r2c>("_fft_r2c", "input, dim, scale", "Real numbers to half a spectrum.", kFunction),
      op<&fft_c2r>("_fft_c2r", "input, dim, n, scale", "Half a spectrum to n real numbers.", kFunction),
  };
}

}  // namespace bolide::python
