// A row's grammar while a draft is made: `Steering` of drafting/types.py.
#pragma once
#include <Python.h>

#include <optional>
#include <stdexcept>

#include "features.hpp"
#include "sharing.hpp"

namespace ngramspec {

struct Foreseen {
    int32_t token;
    int evidence;
};

// A grammar that allows everything and foresees nothing: blind drafting is steered by this.
struct Unsteered {
    static constexpr bool is_blind = true;
    std::optional<Foreseen> foreseen() { return {}; }
    std::optional<Foreseen> forced() { return {}; }
    bool push(int32_t) { return true; }
};

// Thrown when a Python exception is set, which is then raised instead.
struct PythonError : std::runtime_error {
    PythonError() : std::runtime_error("a Python exception is set") {}
};

class PythonObject {
  public:
    explicit PythonObject(PyObject* owned) : object_(owned) {
        if (!object_) throw PythonError();
    }
    ~PythonObject() { Py_DECREF(object_); }
    PythonObject(const PythonObject&) = delete;
    PyObject* get() const { return object_; }

  private:
    PyObject* object_;
};

// A `Steering` in Python, by its three methods. During a call of one the history's lock is released: a thread that
// extends the history may be waiting for it while it holds the interpreter's lock.
class PythonSteering {
  public:
    static constexpr bool is_blind = false;

    PythonSteering(PyObject* foreseen, PyObject* forced, PyObject* push, SharedIndex::Reading& reading)
        : foreseen_(foreseen), forced_(forced), push_(push), reading_(reading) {}

    std::optional<Foreseen> foreseen() { return ask(foreseen_); }
    std::optional<Foreseen> forced() { return ask(forced_); }
    bool push(int32_t token) {
        Unlocked meanwhile(reading_);
        PythonObject argument(PyLong_FromLong(token));
        PythonObject answer(PyObject_CallFunctionObjArgs(push_, argument.get(), nullptr));
        int is_allowed = PyObject_IsTrue(answer.get());
        if (is_allowed < 0) throw PythonError();
        return is_allowed;
    }

  private:
    struct Unlocked {
        SharedIndex::Reading& reading;
        explicit Unlocked(SharedIndex::Reading& held) : reading(held) { reading.unlock(); }
        ~Unlocked() { reading.lock(); }
    };

    std::optional<Foreseen> ask(PyObject* method) {
        Unlocked meanwhile(reading_);
        PythonObject answer(PyObject_CallFunctionObjArgs(method, nullptr));
        if (answer.get() == Py_None) return {};
        int token = item(answer.get(), 0), evidence = item(answer.get(), 1);
        if (evidence < 0 || evidence >= NUM_EVIDENCE)
            throw std::invalid_argument("evidence must be from 0 to " + std::to_string(NUM_EVIDENCE - 1) + ", got " +
                                        std::to_string(evidence));
        return Foreseen{token, evidence};
    }
    static int item(PyObject* pair, Py_ssize_t index) {
        PythonObject found(PySequence_GetItem(pair, index));
        long number = PyLong_AsLong(found.get());
        if (number == -1 && PyErr_Occurred()) throw PythonError();
        if (number < INT32_MIN || number > INT32_MAX) {
            PyErr_Format(PyExc_OverflowError, "token ids must be below 2147483648, got %ld", number);
            throw PythonError();
        }
        return int(number);
    }

    PyObject *foreseen_, *forced_, *push_;
    SharedIndex::Reading& reading_;
};

}  // namespace ngramspec
