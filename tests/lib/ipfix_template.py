# SPDX-License-Identifier: BSD-2-Clause
"""
Information Elements and (Options) Templates for ipfix_wire.py: what a Template may
say, and what values its Data Records may have. Every complaint is a pair of the
requirement's id and a sentence.
"""
import datetime
import ipaddress
import operator
import pathlib
import struct
import typing
import xml.etree.ElementTree

VARIABLE = 65535
REVERSE_PEN = 29305
NTP_EPOCH = 2208988800  # seconds from 1900 to 1970
YEAR_2000 = 946684800

# Octets of an abstract data type (RFC 7011 6.1), whether fewer are allowed (6.2).
TYPES = {"octetArray": (None, True), "string": (None, True), "basicList": (None, True),
         "subTemplateList": (None, True), "subTemplateMultiList": (None, True),
         "unsigned8": (1, False), "unsigned16": (2, True), "unsigned32": (4, True),
         "unsigned64": (8, True), "signed8": (1, False), "signed16": (2, True),
         "signed32": (4, True), "signed64": (8, True), "float32": (4, False),
         "float64": (8, True), "boolean": (1, False), "macAddress": (6, False),
         "dateTimeSeconds": (4, False), "dateTimeMilliseconds": (8, False),
         "dateTimeMicroseconds": (8, False), "dateTimeNanoseconds": (8, False),
         "ipv4Address": (4, False), "ipv6Address": (16, False)}

# RFC 5103 6.1: what has no reverse.
NOT_REVERSIBLE = {40, 41, 42, 130, 131, 137, 145, 148, 149, 173, 210, 239} \
    | set(range(163, 169)) | set(range(211, 218))
SAMPLING = {34, 35, 48, 49, 50, 304, 305, 306, 307, 308, 309, 310, 311}
START_END = [(150, 151), (152, 153), (154, 155), (156, 157)]
OBSERVATION_TIMES = {322, 323, 324, 325}
FLOW_ADDRESSES = {8, 12, 27, 28}


class Element(typing.NamedTuple):
    name: str
    type: str


class Field(typing.NamedTuple):
    pen: int
    id: int
    length: int


class Registry:
    """Elements by (pen, id): IANA's, their reverses, and those of XML registries."""

    def __init__(self, xml_files=()):
        self.elements = {}
        table = pathlib.Path(__file__).with_name("ipfix_elements.tsv")
        for line in table.read_text(encoding="utf-8").splitlines():
            if not line.startswith("#"):
                number, name, kind = line.split("\t")
                self.elements[0, int(number)] = Element(name, kind)
        for path in xml_files:
            self.read_xml(path)

    def read_xml(self, path):
        """A registry in CERT's form."""
        iana, cert = "{http://www.iana.org/assignments}", "{http://www.cert.org/ipfix}"
        for record in xml.etree.ElementTree.parse(path).iter(iana + "record"):
            pen = int(record.findtext(cert + "enterpriseId", "0"))
            element = Element(record.findtext(iana + "name"), record.findtext(iana + "dataType"))
            self.elements[pen, int(record.findtext(iana + "elementId"))] = element

    def find(self, pen, number):
        """None for what is not known."""
        found = self.elements.get((pen, number))
        if found or not pen:
            return found
        forward = (0, number) if pen == REVERSE_PEN else (pen, number & ~0x4000)
        found = self.elements.get(forward)
        return found and Element("reverse" + found.name[0].upper() + found.name[1:], found.type)


def check_length(element, field):
    octets, is_reducible = TYPES[element.type]
    if field.length == 0:
        return "E5", f"{element.name} has length 0"
    if octets is None:
        return None
    if field.length == VARIABLE:
        return "E1", f"{element.name} is of variable length"
    if element.type == "float64" and field.length != 4 and field.length != 8:
        return "E5", f"{element.name} has {field.length} octets, a float has 4 or 8"
    if field.length > octets:
        return "E1", f"{element.name} has {field.length} octets, its type {octets}"
    if field.length < octets and not is_reducible:
        return "E5", f"{element.name} is cut to {field.length} octets, its type may not be"
    return None


def to_unix(value, kind):
    """Seconds since 1970 of a dateTime* as it travels."""
    if kind == "dateTimeSeconds":
        return value
    if kind == "dateTimeMilliseconds":
        return value / 1000
    return (value >> 32) - NTP_EPOCH + (value & 0xffffffff) / (1 << 32)


def check_times(values, kind, name, export_time, is_live):
    latest, first = to_unix(max(values), kind), to_unix(min(values), kind)
    if latest >= export_time + 1:
        return "E4", f"{name} {latest} is after the Export Time {export_time}"
    if is_live and first < YEAR_2000:
        return "I10", f"{name} {first} is no time of today"
    if kind == "dateTimeMicroseconds" and any(v & 0x7ff for v in values):
        return "E4", f"{name} has more than microseconds"
    return None


def check_text(values, name, is_filled):
    for value in values:
        if is_filled:
            value = value.rstrip(b"\0")
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            return "E3", f"{name} is not UTF-8: {value!r}"
        if "\0" in text:
            return "E3", f"{name} has a NUL: {value!r}"
    return None


def split_list(value, registry):
    """The element of a basicList, None if unknown, and its values as octets."""
    if len(value) < 5:
        raise ValueError("no head")
    number, length = struct.unpack_from(">HH", value, 1)
    pen, at = 0, 5
    if number & 0x8000:
        if len(value) < 9:
            raise ValueError("no Enterprise Number")
        pen, at = struct.unpack_from(">I", value, 5)[0], 9
    field = Field(pen, number & 0x7fff, length)
    element = registry.find(field.pen, field.id)
    if element and (wrong := check_length(element, field)) or not length:
        raise ValueError(wrong[1] if element else "values of no octets")
    as_template = Template(0, (field,), 0, registry)
    values = []
    for (one,), end in as_template.split(value[at:]):
        values.append(one)
    if at + (end if values else 0) != len(value):
        raise ValueError("a value is cut off")
    return element, values


def check_lists(values, name, registry):
    for value in values:
        try:
            split_list(value, registry)
        except ValueError as error:
            return "L1", f"{name} {value.hex()}: {error}"
    return None


def check_among(values, allowed, requirement, name):
    wrong = set(values) - allowed
    return (requirement, f"{name} is {min(wrong)}") if wrong else None


class Template:
    """One (Options) Template; scope_count is 0 for one of Data Records."""

    def __init__(self, number, fields, scope_count, registry):
        self.number, self.fields, self.scope_count = number, fields, scope_count
        self.registry = registry
        self.elements = [registry.find(f.pen, f.id) for f in fields]
        self.names = self._name_all()
        self.is_fixed = all(f.length != VARIABLE for f in fields)
        self.least_octets = sum(1 if f.length == VARIABLE else f.length for f in fields)
        self.iana = {f.id: i for i, f in enumerate(fields) if f.pen == 0}
        self.checked = [i for i in range(len(fields)) if self._is_checked(i)]
        self.layout = struct.Struct(">" + "".join(map(self._format, range(len(fields))))) \
            if self.is_fixed else None
        self.times = [(self.checked.index(self.iana[a]), self.checked.index(self.iana[b]), a)
                      for a, b in START_END if a in self.iana and b in self.iana]

    def _name_all(self):
        names = []
        for field, element in zip(self.fields, self.elements):
            name = element.name if element else f"{field.pen}/{field.id}"
            n = sum(known.split("#")[0] == name for known in names)
            names.append(f"{name}#{n + 1}" if n else name)
        return names

    def _is_checked(self, i):
        field, element = self.fields[i], self.elements[i]
        return bool(element) and (element.type.startswith("dateTime")
                                  or element.type in ("string", "boolean", "basicList")
                                  or field.id in (136, 239) and field.pen in (0, REVERSE_PEN))

    def _format(self, i):
        length = self.fields[i].length
        if i not in self.checked:
            return f"{length}x"
        if self.elements[i].type in ("string", "basicList"):
            return f"{length}s"
        return {1: "B", 4: "I", 8: "Q"}.get(length, f"{length}s")

    # --- what a Template says ---

    def complaints(self):
        """Everything wrong with it, by itself."""
        seen = set()
        for field, element in zip(self.fields, self.elements):
            yield from self._check_field(field, element, seen)
            seen.add(field[:2])
        if self.scope_count:
            yield from self._check_options()
        else:
            yield from self._check_flow()
        yield from self._check_reverse()

    @staticmethod
    def _check_field(field, element, seen):
        if field.id == 0:
            yield "H8", "an element has the reserved number 0"
        if field[:2] in seen and not (field.pen == 0 and field.id in OBSERVATION_TIMES):
            yield "H12", f"element {field.pen}/{field.id} is there twice"
        if element is None:
            yield "E5", f"element {field.pen}/{field.id} is in no registry (ipfix_elements.tsv)"
        elif (wrong := check_length(element, field)):
            yield wrong
        if field.pen not in (0, REVERSE_PEN):
            if field.pen % 65536 in (0, 6871, REVERSE_PEN):
                yield "D12", f"enterprise {field.pen} is taken for another by its low 16 bits"
            if not 1000 < field.id & ~0x4000 < 0x4000:
                yield "D12", f"enterprise element {field.id} is not one of 1001 .. 16383"

    def _check_options(self):
        ids = set(self.iana)
        if ids & SAMPLING:
            yield "D10", f"a sampling rate: {sorted(ids & SAMPLING)}"
        if ids & {164, 165}:
            yield from self._check_two_times("O2")
        if ids & {166, 167, 168}:
            yield from self._check_two_times("O3")
            if not self._scope() & {(0, 144), (0, 130), (0, 131)}:
                yield "O3", "the scope names no Exporting Process"
        if 173 in ids and self._scope() != {(0, 145)}:
            yield "O4", "flowKeyIndicator without the scope templateId"
        if ids & {339, 341, 344}:
            if self._scope() != {(0, 346), (0, 303)}:
                yield "O5", "a type record without the scope of enterprise and element"
            if not {339, 341, 344} <= ids:
                yield "O5", "a type record without data type, semantics and name"

    def _check_two_times(self, requirement):
        n = sum(f.pen == 0 and f.id in OBSERVATION_TIMES for f in self.fields)
        if n != 2:
            yield requirement, f"{n} times of observation instead of two"

    def _scope(self):
        return {f[:2] for f in self.fields[:self.scope_count]}

    def _check_flow(self):
        ids = set(self.iana)
        if ids & SAMPLING:
            yield "D10", f"a sampling rate: {sorted(ids & SAMPLING)}"
        if ids & {23, 24}:
            yield "I27", "octets or packets after observation used as those of the other direction"
        if ids & {85, 86}:
            yield "I14", "total instead of delta counts"
        if ids & FLOW_ADDRESSES and not {1, 2} <= ids:
            yield "I26", "a Flow without octetDeltaCount and packetDeltaCount"
        if sum(a in ids for a in (150, 152, 154, 156, 22)) > 1:
            yield "I11", "start times in several units"
        if ids & {32, 139} and ids & {7, 11}:
            yield "D11", "ports and the type of ICMP in one Template"
        for field in self.fields:
            if field.pen in (0, REVERSE_PEN) and field.id in (1, 2) and field.length != 8:
                yield "E7", f"a delta count of {field.length} octets"

    def _check_reverse(self):
        is_forward_seen = False
        for field in self.fields:
            if field.pen == REVERSE_PEN:
                if field.id in NOT_REVERSIBLE:
                    yield "B1", f"element {field.id} has no reverse"
                if is_forward_seen:
                    yield "D7", f"reverse element {field.id} is behind a forward one"
            elif field.pen == 0:  # what a Collector could write over
                is_forward_seen = True
        if any(f.pen == REVERSE_PEN for f in self.fields) and 239 not in self.iana:
            yield "B2", "a biflow without biflowDirection"

    # --- what Data Records say ---

    def split(self, data):
        """The values of each record as octets; raises ValueError where one overruns."""
        at, end = 0, len(data)
        while end - at >= self.least_octets:
            values = []
            for field in self.fields:
                length = field.length
                if length == VARIABLE:
                    if at >= end:
                        raise ValueError("a record ends behind its Set")
                    length, at = data[at], at + 1
                    if length == 255:
                        length, at = int.from_bytes(data[at:at + 2], "big"), at + 2
                if at + length > end:
                    raise ValueError("a record ends behind its Set")
                values.append(bytes(data[at:at + length]))
                at += length
            yield values, at

    def _columns(self, data):
        """Number of records, octets used, and the checked values, element after element."""
        if self.is_fixed:
            n = len(data) // self.least_octets
            used = n * self.least_octets
            return n, used, list(zip(*self.layout.iter_unpack(data[:used])))
        rows, used = [], 0
        for values, at in self.split(data):
            rows.append([values[i] if self.elements[i].type in ("string", "basicList")
                         else int.from_bytes(values[i], "big") for i in self.checked])
            used = at
        return len(rows), used, list(zip(*rows))

    def check_records(self, data, export_time, is_live):
        """Number of records in a Set's content, and the complaints about them."""
        try:
            n, used, columns = self._columns(data)
        except ValueError as error:
            return 0, [("E6", str(error))]
        wrong = []
        if not n:
            wrong.append(("H6", "a Data Set without a record"))
        if any(data[used:]):
            wrong.append(("H7", "padding is not zero"))
        for i, values in zip(self.checked, columns):
            wrong.append(self._check_column(i, values, export_time, is_live))
        for a, b, start in self.times if columns else ():
            if any(map(operator.gt, columns[a], columns[b])):
                wrong.append(("R2", f"element {start}: a start after its end"))
        return n, filter(None, wrong)

    def _check_column(self, i, values, export_time, is_live):
        field, kind, name = self.fields[i], self.elements[i].type, self.names[i]
        if kind == "string":
            return check_text(values, name, field.length != VARIABLE)
        if kind == "basicList":
            return check_lists(values, name, self.registry)
        if kind == "boolean":
            return check_among(values, {1, 2}, "E2", name)
        if field.id == 136:
            return check_among(values, {1, 2, 3, 4, 5}, "R1", name)
        if field.id == 239:
            return check_among(values, {0, 1, 2, 3}, "B3", name)
        return check_times(values, kind, name, export_time, is_live)

    def decode(self, data):
        """Each record as a dictionary, for people and for comparing."""
        for values, _ in self.split(data):
            yield {name: to_json(value, element and element.type, self.registry)
                   for name, value, element in zip(self.names, values, self.elements)}


def to_json(value, kind, registry):
    if kind == "basicList":
        try:
            element, values = split_list(value, registry)
        except ValueError:
            return value.hex()
        return [to_json(one, element and element.type, registry) for one in values]
    if kind is None or kind == "octetArray" or kind.endswith("List"):
        return value.hex()
    if kind == "string":
        return value.rstrip(b"\0").decode("utf-8", "backslashreplace")
    if kind in ("ipv4Address", "ipv6Address"):
        return str(ipaddress.ip_address(value))
    if kind == "macAddress":
        return value.hex(":")
    if kind.startswith("float"):
        return struct.unpack(">f" if len(value) == 4 else ">d", value)[0]
    number = int.from_bytes(value, "big", signed=kind.startswith("signed"))
    if kind == "boolean":
        return {1: True, 2: False}.get(number)
    if kind.startswith("dateTime"):
        return time_to_json(number, kind)
    return number


def time_to_json(number, kind):
    digits = {"dateTimeSeconds": 0, "dateTimeMilliseconds": 3,
              "dateTimeMicroseconds": 6, "dateTimeNanoseconds": 9}[kind]
    if digits > 3:
        seconds = (number >> 32) - NTP_EPOCH
        part = (number & 0xffffffff) * 10 ** digits >> 32
    else:
        seconds, part = divmod(number, 10 ** digits)
    try:
        whole = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    except (ValueError, OverflowError, OSError):
        return number
    return whole.strftime("%Y-%m-%dT%H:%M:%S") + (f".{part:0{digits}}" if digits else "") + "Z"
