// Arrays from Python, and to Python.
#pragma once
#include <Python.h>

#include <cstdint>
#include <cstring>

namespace ngramspec {

// The numbers of an array `int32[n]`, which is held, and cannot be resized, as long as this lives.
class Tokens {
  public:
    Tokens() = default;
    Tokens(const Tokens&) = delete;
    ~Tokens() {
        if (view_.obj) PyBuffer_Release(&view_);
    }

    // Returns false if `array` is not `int32[n]`, or not contiguous.
    bool take(PyObject* array) {
        if (PyObject_GetBuffer(array, &view_, PyBUF_ND | PyBUF_FORMAT) < 0) {
            PyErr_Clear();
            view_.obj = nullptr;
            return false;
        }
        char kind = *view_.format;
        if (view_.ndim == 1 && view_.itemsize == 4 && (kind == 'i' || kind == 'l')) return true;
        PyBuffer_Release(&view_);
        return false;
    }
    const int32_t* begin() const { return static_cast<const int32_t*>(view_.buf); }
    const int32_t* end() const { return begin() + size(); }
    size_t size() const { return size_t(view_.shape[0]); }

  private:
    Py_buffer view_{};
};

// Copies numbers into a new array, which must have room for them.
inline int fill(PyObject* array, const void* numbers, size_t num_bytes) {
    Py_buffer view;
    if (PyObject_GetBuffer(array, &view, PyBUF_WRITABLE) < 0) return -1;
    if (num_bytes) std::memcpy(view.buf, numbers, num_bytes);
    PyBuffer_Release(&view);
    return 0;
}

}  // namespace ngramspec
