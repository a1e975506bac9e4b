// SPDX-License-Identifier: Apache-2.0

// Derivatives: the methods of _core.Loss, and what a function of the package gives when its `out`
// is a Cotangent.

#include "simdloss/gradient.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "call.hpp"

namespace simdloss::python {
namespace {

// Functions of the user's are not differentiated.
const BoundLoss& differentiable(const LossObject& self) {
  if (!self.loss) {
    throw Error(ErrorCode::kNotSupported, "",
                "losses that were computed elsewhere have no gradient");
  }
  return *self.loss;
}

std::optional<double> parse_scale(py::handle scale) {
  if (scale.is_none()) return std::nullopt;
  const double number = parse_number(scale, "scale");
  if (std::isfinite(number)) return number;
  throw Error(ErrorCode::kValue, "scale",
              "scale must be a finite number or None; received " + described(scale));
}

// As gradient_type() says, whose errors are left to the call.
ResultType type_of_gradient(const Operands& operands, const Request& request) {
  const ArrayView& p = operands.y_pred;
  const DType dtype = is_floating(p.dtype) ? p.dtype : loss_dtype(request, p.dtype);
  return {std::vector<std::int64_t>(p.shape, p.shape + p.rank), dtype};
}

// A read-only array as NumPy would broadcast it to a shape: with strides of 0.
struct Broadcast {
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
  ArrayView view;

  // ValueError, naming both shapes, unless that does not enlarge the shape.
  Broadcast(const ArrayView& array, std::vector<std::int64_t> to, const char* argument)
      : shape(std::move(to)), strides(shape.size()) {
    const auto rank = static_cast<std::size_t>(array.rank);
    bool fits = rank <= shape.size();
    for (std::size_t i = 0; fits && i < rank; ++i) {
      const std::size_t axis = shape.size() - rank + i;
      fits = array.shape[i] == shape[axis] || array.shape[i] == 1;
      strides[axis] = array.shape[i] == shape[axis] ? array.strides[i] : 0;
    }
    if (!fits) {
      throw Error(ErrorCode::kValue, argument,
                  std::string(argument) + " of shape " + shape_text(array.shape, rank) +
                      " does not broadcast to the losses of shape " +
                      shape_text(shape.data(), shape.size()) +
                      ". Fix: pass a scalar, or an array with a number for each loss.");
    }
    view = {array.data, array.dtype, static_cast<int>(shape.size()), shape.data(), strides.data()};
  }
  Broadcast(const Broadcast&) = delete;
  Broadcast& operator=(const Broadcast&) = delete;
};

}  // namespace

py::object value_and_grad(const LossObject& self, PyObject* const* args, Py_ssize_t n_args,
                          int depth) {
  const BoundLoss& loss = differentiable(self);
  const Arrays arrays = arrays_of(self, args, n_args);
  Request request = self.request;
  if (n_args > 5) request.empty = parse_empty(args[5]);
  if (n_args > 6) request.scale = parse_scale(args[6]);
  read_settings(request);
  const Operands operands = arrays.operands();
  const ResultType type = type_of_result(loss, operands, request);
  warn_of_one_class(loss.info(), operands, request.axes, depth);
  Output value(type, Py_None, arrays);
  Output gradient(type_of_gradient(operands, request), n_args > 4 ? args[4] : Py_None, arrays,
                  arrays.y_pred_array());
  run(&loss, arrays, request,
      [&] { value_and_gradient(loss, operands, request, value.view(), gradient.view()); });
  return py::make_tuple(value.finish(), gradient.finish());
}

PyObject* loss_value_and_grad(PyObject* self, PyObject* const* args, Py_ssize_t n_args) {
  return guarded([&]() -> py::object {
    if (n_args < 2 || n_args > 7) throw py::type_error("value_and_grad() takes 2 to 7 arguments");
    return value_and_grad(as_loss(self), args, n_args, 2);
  });
}

PyObject* loss_value_grad_hess(PyObject* self, PyObject* const* args, Py_ssize_t n_args) {
  return guarded([&]() -> py::object {
    if (n_args != 7) throw py::type_error("value_grad_hess() takes 7 arguments");
    const LossObject& object = as_loss(self);
    const BoundLoss& loss = differentiable(object);
    const Arrays arrays = arrays_of(object, args, 4);
    Request request = object.request;
    request.empty = parse_empty(args[4]);
    request.scale = parse_scale(args[5]);
    const Curvature curvature = parse_curvature(args[6]);
    read_settings(request);
    const Operands operands = arrays.operands();
    const ResultType type = type_of_result(loss, operands, request);
    warn_of_one_class(loss.info(), operands, request.axes, 2);
    const ResultType of_pred = type_of_gradient(operands, request);
    Output value(type, Py_None, arrays);
    Output gradient(of_pred, Py_None, arrays, arrays.y_pred_array());
    Output hessian(of_pred, Py_None, arrays, arrays.y_pred_array());
    run(&loss, arrays, request, [&] {
      value_gradient_and_hessian(loss, operands, request, curvature, value.view(), gradient.view(),
                                 hessian.view());
    });
    return py::make_tuple(value.finish(), gradient.finish(), hessian.finish());
  });
}

py::object vector_jacobian_product(const BoundLoss& loss, const Arrays& arrays, Request& request,
                                   py::handle out) {
  const Operands operands = arrays.operands();
  const Broadcast cotangent(arrays.cotangent(), result_type(loss, operands, request).shape,
                            "cotangent");
  // The caller of vjp(), which has called the function that called this.
  warn_of_one_class(loss.info(), operands, request.axes, 3);
  ResultType type = gradient_type(loss, operands, request);
  type.dtype = request.dtype.value_or(type.dtype);  // of a function without ml_dtypes
  Output gradient(type, out, arrays, arrays.y_pred_array());
  run(&loss, arrays, request,
      [&] { vjp(loss, operands, cotangent.view, request, gradient.view()); });
  return gradient.finish();
}

void add_gradient(py::module_& m) {
  py::class_<Cotangent>(m, "Cotangent", py::is_final())
      .def(py::init<py::object, py::object>(), py::arg("value"), py::arg("out"));
}

}  // namespace simdloss::python
