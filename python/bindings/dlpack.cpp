// SPDX-License-Identifier: Apache-2.0

// Reads DLPack capsules, versioned and unversioned, into ndarrays that keep them alive. NumPy's own
// reader refuses bfloat16, hence this one.

#include <algorithm>
#include <string>
#include <vector>

#include "bindings.hpp"
#include "numpy_view.hpp"

namespace simdloss::python {
namespace {

// The memory layout that the DLPack specification prescribes, as far as a reader needs it.
namespace dlpack {

struct Device {
  std::int32_t type;
  std::int32_t id;
};

// Device types whose memory the CPU can read: itself, and pinned host memory of CUDA and ROCm.
constexpr std::int32_t kCpu = 1, kCudaHost = 3, kRocmHost = 11;

struct DataType {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
};

enum Code : std::uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBFloat = 4, kComplex = 5, kBool = 6 };

struct Tensor {
  void* data;
  Device device;
  std::int32_t rank;
  DataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements; null for C order
  std::uint64_t byte_offset;
};

// What the capsules hold. `deleter` may be null; it frees the struct and all that hangs on it.
struct Managed {
  Tensor tensor;
  void* context;
  void (*deleter)(Managed*);
};

struct ManagedVersioned {
  std::uint32_t major;
  std::uint32_t minor;
  void* context;
  void (*deleter)(ManagedVersioned*);
  std::uint64_t flags;
  Tensor tensor;
};

constexpr std::uint32_t kMajor = 1;

constexpr const char* kName = "dltensor";
constexpr const char* kUsedName = "used_dltensor";
constexpr const char* kVersionedName = "dltensor_versioned";
constexpr const char* kUsedVersionedName = "used_dltensor_versioned";

}  // namespace dlpack

template <class M>
void release(void* managed) {
  auto* m = static_cast<M*>(managed);
  if (m->deleter != nullptr) m->deleter(m);
}

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::kType, "", message); }

py::object numpy_descr(dlpack::DataType type) {
  const auto descr = [](int number) {
    return py::reinterpret_steal<py::object>(
        reinterpret_cast<PyObject*>(PyArray_DescrFromType(number)));
  };
  if (type.lanes == 1) {
    switch (type.code << 8 | type.bits) {
      case dlpack::kBool << 8 | 8:
        return descr(NPY_BOOL);
      case dlpack::kInt << 8 | 8:
        return descr(NPY_INT8);
      case dlpack::kInt << 8 | 16:
        return descr(NPY_INT16);
      case dlpack::kInt << 8 | 32:
        return descr(NPY_INT32);
      case dlpack::kInt << 8 | 64:
        return descr(NPY_INT64);
      case dlpack::kUInt << 8 | 8:
        return descr(NPY_UINT8);
      case dlpack::kUInt << 8 | 16:
        return descr(NPY_UINT16);
      case dlpack::kUInt << 8 | 32:
        return descr(NPY_UINT32);
      case dlpack::kUInt << 8 | 64:
        return descr(NPY_UINT64);
      case dlpack::kFloat << 8 | 16:
        return descr(NPY_HALF);
      case dlpack::kFloat << 8 | 32:
        return descr(NPY_FLOAT);
      case dlpack::kFloat << 8 | 64:
        return descr(NPY_DOUBLE);
      case dlpack::kBFloat << 8 | 16:
        return py::module_::import("simdloss._array").attr("bfloat16_view_dtype")();
      default:
        break;
    }
  }
  const char* kind = type.code == dlpack::kComplex ? "complex" : "unsupported";
  refuse(std::string("a DLPack tensor of ") + kind + " type (code " + std::to_string(type.code) +
         ", " + std::to_string(type.bits) + " bits, " + std::to_string(type.lanes) +
         " lanes) cannot be read; convert it to a floating type of 16, 32 or 64 bits");
}

// The ndarray on the tensor's memory, which belongs to `owner`.
py::object wrap(const dlpack::Tensor& tensor, const py::object& owner) {
  const std::int32_t device = tensor.device.type;
  if (device != dlpack::kCpu && device != dlpack::kCudaHost && device != dlpack::kRocmHost) {
    refuse("a DLPack tensor on a device of type " + std::to_string(device) +
           " cannot be read; copy it to the CPU first (torch: .cpu(), JAX: jax.device_get)");
  }
  if (tensor.rank < 0 || tensor.rank > NPY_MAXDIMS) {
    throw Error(ErrorCode::kValue, "",
                "a DLPack tensor of rank " + std::to_string(tensor.rank) +
                    " cannot be read; NumPy's limit is " + std::to_string(NPY_MAXDIMS));
  }
  py::object descr = numpy_descr(tensor.dtype);
  const npy_intp size = PyDataType_ELSIZE(reinterpret_cast<PyArray_Descr*>(descr.ptr()));
  const auto rank = static_cast<std::size_t>(tensor.rank);
  std::vector<npy_intp> strides;
  if (tensor.strides != nullptr) {
    strides.assign(tensor.strides, tensor.strides + rank);
    for (npy_intp& stride : strides) stride *= size;
  }
  // A tensor without elements may have no memory; NumPy wants an address all the same.
  static char no_memory[8];
  char* data = tensor.data == nullptr ? no_memory : static_cast<char*>(tensor.data);
  PyObject* array = PyArray_NewFromDescr(
      &PyArray_Type, reinterpret_cast<PyArray_Descr*>(descr.release().ptr()), tensor.rank,
      reinterpret_cast<const npy_intp*>(tensor.shape), strides.empty() ? nullptr : strides.data(),
      data + tensor.byte_offset, 0, nullptr);
  if (array == nullptr) throw py::error_already_set();
  py::object result = py::reinterpret_steal<py::object>(array);
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(array), owner.inc_ref().ptr()) < 0) {
    throw py::error_already_set();
  }
  return result;
}

// Takes the tensor over from its capsule: from here on the returned owner frees it.
template <class M>
M* take(PyObject* capsule, const char* name, const char* used_name, py::object& owner) {
  void* managed = PyCapsule_GetPointer(capsule, name);
  if (managed == nullptr) throw py::error_already_set();
  owner = py::capsule(managed, &release<M>);
  if (PyCapsule_SetName(capsule, used_name) < 0) throw py::error_already_set();
  return static_cast<M*>(managed);
}

py::object from_dlpack(py::handle capsule) {
  py::object owner;
  if (PyCapsule_IsValid(capsule.ptr(), dlpack::kVersionedName) != 0) {
    auto* managed = take<dlpack::ManagedVersioned>(capsule.ptr(), dlpack::kVersionedName,
                                                   dlpack::kUsedVersionedName, owner);
    if (managed->major > dlpack::kMajor) {
      refuse("a DLPack tensor of version " + std::to_string(managed->major) +
             " cannot be read; ask its maker for max_version=(1, 0)");
    }
    return wrap(managed->tensor, owner);
  }
  if (PyCapsule_IsValid(capsule.ptr(), dlpack::kName) != 0) {
    auto* managed = take<dlpack::Managed>(capsule.ptr(), dlpack::kName, dlpack::kUsedName, owner);
    return wrap(managed->tensor, owner);
  }
  refuse("expected an unused DLPack capsule; received an object of type " +
         std::string(Py_TYPE(capsule.ptr())->tp_name));
}

}  // namespace

void add_dlpack(py::module_& m) { m.def("from_dlpack", &from_dlpack, py::arg("capsule")); }

}  // namespace simdloss::python
