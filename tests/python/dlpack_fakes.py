"""DLPack's C structs, by ctypes, and a producer whose every field may be wrong."""

import ctypes
import gc

import bolide

CPU, CUDA, METAL = 1, 2, 8
READ_ONLY, IS_COPIED = 1, 2
DTYPES = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128".split()


class Device(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int32), ("id", ctypes.c_int32)]


class DataType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", Device),
        ("ndim", ctypes.c_int32),
        ("dtype", DataType),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Legacy(ctypes.Structure):
    _fields_ = [("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


class Versioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", Tensor),
    ]


new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype, new_capsule.argtypes = (
    ctypes.py_object,
    [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
)
get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
get_name = ctypes.pythonapi.PyCapsule_GetName
get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]


class Fake:
    """A producer over a ctypes buffer, with every field free to be wrong."""

    made: list = []  # what a tensor calls when it dies must be there  # noqa: RUF012

    def __init__(
        self,
        values=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
        shape=(6,),
        strides=None,
        code=2,
        bits=32,
        lanes=1,
        **more,
    ):
        self.made.append(self)
        self.buffer = (ctypes.c_float * len(values))(*values)
        self.deleted = 0
        self.versioned = more.get("versioned", True)
        self.struct = Versioned() if self.versioned else Legacy()
        if self.versioned:
            self.struct.major, self.struct.minor = more.get("version", (1, 0))
            self.struct.flags = more.get("flags", 0)
        self.deleter = Deleter(self._delete)
        self.struct.deleter = (
            ctypes.cast(self.deleter, ctypes.c_void_p).value
            if more.get("has_deleter", True)
            else None
        )
        t = self.struct.tensor
        t.data = more.get("data", ctypes.addressof(self.buffer))
        t.device = Device(more.get("device", CPU), 0)
        t.ndim = more.get("ndim", len(shape))
        t.dtype = DataType(code, bits, lanes)
        self.shape = (ctypes.c_int64 * max(len(shape), 1))(*shape)
        t.shape = self.shape if shape else None
        self.strides = (
            None if strides is None else (ctypes.c_int64 * max(len(strides), 1))(*strides)
        )
        t.strides = self.strides
        t.byte_offset = more.get("byte_offset", 0)

    def _delete(self, _):
        self.deleted += 1

    def capsule(self):
        name = b"dltensor_versioned" if self.versioned else b"dltensor"
        return new_capsule(ctypes.addressof(self.struct), name, None)

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        return self.capsule()

    def __dlpack_device__(self):
        return (self.struct.tensor.device.type, 0)


def contents(capsule):
    name = get_name(capsule)
    kind = Versioned if name == b"dltensor_versioned" else Legacy
    return kind.from_address(get_pointer(capsule, name))


def live_bytes():
    gc.collect()
    return bolide._C._memory_stats("cpu")["allocated"]


class Table(ctypes.Structure):
    """DLPackExchangeAPI."""

    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("previous", ctypes.c_void_p),
        ("allocate", ctypes.c_void_p),
        ("export", ctypes.c_void_p),
        ("import_", ctypes.c_void_p),
        ("view", ctypes.c_void_p),
        ("stream", ctypes.c_void_p),
    ]


Exporter = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.POINTER(ctypes.c_void_p))
Importer = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.py_object))
Viewer = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.POINTER(Tensor))
StreamGetter = ctypes.PYFUNCTYPE(
    ctypes.c_int, ctypes.c_int32, ctypes.c_int32, ctypes.POINTER(ctypes.c_void_p)
)


def table_of(kind):
    """The table of a tensor type."""
    return Table.from_address(get_pointer(kind.__dlpack_c_exchange_api__, b"dlpack_exchange_api"))


class WithTable(Fake):
    """A producer whose type has a table, of which only the export does anything."""

    asked = 0

    @classmethod
    def set_table(cls, export, major=1, name=b"dlpack_exchange_api", functions=5):
        cls.export = Exporter(export)
        address = ctypes.cast(cls.export, ctypes.c_void_p).value
        cls.table = Table(major, 3, None, *[address] * functions)
        cls.name = name
        cls.__dlpack_c_exchange_api__ = new_capsule(ctypes.addressof(cls.table), name, None)

    def __dlpack__(self, **named):
        type(self).asked += 1
        return super().__dlpack__(**named)


def table_class(export, **more):
    """A class of producers whose table has this export."""
    kind = type("Own", (WithTable,), {})
    kind.set_table(export, **more)
    return kind


def give(producer, out):
    """The export of a table that works."""
    out[0] = ctypes.addressof(producer.struct)
    return 0
