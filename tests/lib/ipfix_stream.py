# SPDX-License-Identifier: BSD-2-Clause
"""One Transport Session as ipfix_wire.py follows it: Templates, numbers, data."""
import collections
import json
import struct

import ipfix_template
from ipfix_input import UDP

HEADER = struct.Struct(">HHIII")
PATIENCE_S = 2  # late by that much is in time
START_S = 10  # within which copies of a Template come

# RFC 5610 3.1, by number
TYPE_NUMBERS = ("octetArray", "unsigned8", "unsigned16", "unsigned32", "unsigned64", "signed8",
                "signed16", "signed32", "signed64", "float32", "float64", "boolean", "macAddress",
                "string", "dateTimeSeconds", "dateTimeMilliseconds", "dateTimeMicroseconds",
                "dateTimeNanoseconds", "ipv4Address", "ipv6Address", "basicList",
                "subTemplateList", "subTemplateMultiList")


class Domain:
    """What is known of one Observation Domain of a stream."""

    def __init__(self):
        self.templates = {}
        self.next_sequence = None


class Known:
    """A Template in force."""

    def __init__(self, template, time, export_time):
        self.template, self.first, self.last = template, time, time
        self.export_time, self.copies, self.early_copies = export_time, 1, 1
        self.is_late = False


class Stream:
    """One Transport Session."""

    def __init__(self, checker, transport, name):
        self.checker, self.transport, self.name = checker, transport, name
        self.domains = collections.defaultdict(Domain)
        self.described = set()  # (enterprise, element), the same in all domains
        self.n_messages = 0
        self.started = self.time = None

    def complain(self, requirement, text):
        self.checker.complain(requirement, f"{self.name} message {self.n_messages}: {text}")

    def message(self, data, captured=None):
        """Check one Message; captured is the Unix time in s, if it is known."""
        self.n_messages += 1
        self.checker.n_messages += 1
        if len(data) < HEADER.size:
            self.complain("H1", f"{len(data)} octets are no header")
            return
        version, length, export_time, sequence, number = HEADER.unpack_from(data)
        if version != 10 or length != len(data):
            self.complain("H1", f"version {version}, length {length} of {len(data)} octets")
            return
        self.time = export_time if captured is None else captured
        if self.started is None:
            self.started = self.time
        if captured is not None:
            self._check_export_time(export_time, captured)
        domain = self.domains[number]
        self._check_sequence(domain, sequence)
        n_records = self._check_sets(domain, number, data, export_time, sequence)
        domain.next_sequence = (sequence + n_records) & 0xffffffff

    def _check_export_time(self, export_time, captured):
        late = captured - export_time
        limit = PATIENCE_S if self.transport == UDP else self.checker.options.tcp_patience
        if not self.checker.options.clock_stepped and not -1 <= late < limit:
            self.complain("H2", f"Export Time {export_time}, left at {captured:.3f}")

    def _check_sequence(self, domain, sequence):
        options, expected = self.checker.options, domain.next_sequence
        if expected is None:
            # a domain that starts later in the stream starts from 0 too
            expected = sequence if options.late else options.first_sequence
        ahead = (sequence - expected) & 0xffffffff
        if ahead and ahead < 1 << 31 and options.may_lose:
            self.checker.n_lost += ahead
        elif ahead:
            self.complain("H3", f"Sequence Number {sequence}, expected {expected}")

    def _check_sets(self, domain, number, data, export_time, sequence):
        view, at, n_records, n_sets = memoryview(data), HEADER.size, 0, 0
        while len(data) - at >= 4:
            set_id, length = struct.unpack_from(">HH", view, at)
            if length < 4 or at + length > len(data):
                self.complain("H5", f"Set {set_id} of {length} octets at {at} of {len(data)}")
                return n_records
            content = view[at + 4:at + length]
            n_sets += 1
            if length == 4:
                self.complain("H6", f"Set {set_id} is empty")
            elif set_id in (2, 3):
                self._check_templates(domain, number, content, set_id, export_time)
            elif set_id >= 256:
                head = (number, export_time, sequence)
                n_records += self._check_data(domain, content, set_id, head)
            else:
                self.complain("H5", f"Set ID {set_id} is reserved")
            at += length
        if at != len(data):
            self.complain("H5", f"{len(data) - at} octets behind the last Set")
        if not n_sets:
            self.complain("H6", "no Set")
        return n_records

    # --- Templates ---

    def _check_templates(self, domain, number, content, set_id, export_time):
        at, n, is_options = 0, 0, set_id == 3
        while len(content) - at >= (6 if is_options else 4) or n == 0:
            if len(content) - at < 4:
                self.complain("H6", f"Set {set_id} has no record")
                return
            template_id, n_fields = struct.unpack_from(">HH", content, at)
            if n and template_id == 0:
                break  # padding
            if n_fields == 0:
                self._withdraw(domain, template_id, set_id)
                at += 4
            else:
                at = self._read_template(domain, number, content, at, is_options, export_time)
                if at is None:
                    return
            n += 1
        if any(content[at:]) or len(content) - at >= 4 + 4 * is_options:
            self.complain("H7", f"Set {set_id} ends with {bytes(content[at:]).hex()}")
        if is_options and n > 1:
            self.complain("D4", f"{n} Options Templates in a Set")

    def _read_template(self, domain, number, content, at, is_options, export_time):
        """Returns where the next one starts, None if that is not known."""
        template_id, n_fields = struct.unpack_from(">HH", content, at)
        at += 4
        n_scopes = 0
        if is_options:
            if len(content) - at < 2:
                self.complain("H5", f"Template {template_id} ends behind its Set")
                return None
            n_scopes, = struct.unpack_from(">H", content, at)
            at += 2
            if not 0 < n_scopes < n_fields:
                self.complain("H10", f"{n_scopes} of {n_fields} fields are scope")
        fields = []
        for _ in range(n_fields):
            field, at = self._read_field(content, at)
            if field is None:
                self.complain("H5", f"Template {template_id} ends behind its Set")
                return None
            fields.append(field)
        if template_id < 256:
            self.complain("H9", f"Template ID {template_id}")
        key = (template_id, tuple(fields), n_scopes, is_options)
        self._define(domain, number, key, export_time)
        return at

    def _read_field(self, content, at):
        if len(content) - at < 4:
            return None, at
        number, length = struct.unpack_from(">HH", content, at)
        if not number & 0x8000:
            return ipfix_template.Field(0, number, length), at + 4
        if len(content) - at < 8:
            return None, at
        pen, = struct.unpack_from(">I", content, at + 4)
        if pen == 0:
            self.complain("H8", f"element {number & 0x7fff} has an Enterprise Number of 0")
        return ipfix_template.Field(pen, number & 0x7fff, length), at + 8

    def _define(self, domain, number, key, export_time):
        template_id, fields, n_scopes, _ = key
        known = domain.templates.get(template_id)
        self.checker.n_templates += 1
        if known and known.template.fields == fields and known.template.scope_count == n_scopes:
            known.copies += 1
            known.early_copies += self.time - known.first <= START_S
            self._check_refresh(known)
            known.last, known.export_time = self.time, export_time
            return
        if known:
            requirement = "M4" if self.transport == UDP else "H9"
            self.complain(requirement, f"Template {template_id} became another")
        template = self.checker.template(key)
        domain.templates[template_id] = Known(template, self.time, export_time)
        for requirement, text in template.complaints():
            self.complain(requirement, f"Template {template_id}: {text}")
        self._check_statistics(template, number)

    def _check_statistics(self, template, number):
        if "eventId" in template.names and (number or template.names[0] != "observationDomainId"
                                            or template.scope_count != 1):
            self.complain("D15", f"Template {template.number} of events in domain {number}, scope "
                          f"{template.names[:template.scope_count]}")
        is_process = set(template.iana) & {40, 41, 42, 164, 165, 166, 167, 168}
        if not template.scope_count or not is_process:
            return
        scope = {f[:2] for f in template.fields[:template.scope_count]}
        if number != 0:
            self.complain("D14", f"Template {template.number} is in domain {number}")
        elif is_process & {40, 41, 42, 164, 165} and (0, 149) not in scope:
            self.complain("O1", f"Template {template.number}: the scope names no domain")

    def _withdraw(self, domain, template_id, set_id):
        if self.transport == UDP:
            self.complain("M3", f"withdrawal of Template {template_id}")
        elif template_id == set_id:
            domain.templates = {i: known for i, known in domain.templates.items()
                                if bool(known.template.scope_count) != (set_id == 3)}
        elif template_id not in domain.templates:
            self.complain("M5", f"withdrawal of {template_id}, which there is not")
        elif bool(domain.templates[template_id].template.scope_count) != (set_id == 3):
            self.complain("M5", f"withdrawal of {template_id} in a Set {set_id}")
        else:
            del domain.templates[template_id]

    def _check_refresh(self, known):
        age = self.time - known.last
        if self.transport == UDP and age > self.checker.options.refresh + PATIENCE_S \
                and not known.is_late:
            known.is_late = True
            self.complain("M1", f"Template {known.template.number} is {age:.1f} s old")

    # --- data ---

    def _check_data(self, domain, content, set_id, head):
        known = domain.templates.get(set_id)
        if not known:
            self.complain("H11", f"data before its Template {set_id}")
            return 0
        number, export_time, sequence = head
        template = known.template
        if self.n_messages == 1 and self.transport == UDP and not self.checker.options.late:
            self.complain("M2", "data in the first Message")
        if export_time < known.export_time:
            self.complain("H11", f"Export Time {export_time}, that of Template {set_id} is "
                          f"{known.export_time}")
        self._check_refresh(known)
        is_live = self.checker.options.live
        n_records, wrong = template.check_records(content, export_time, is_live)
        for requirement, text in wrong:
            self.complain(requirement, f"Template {set_id}: {text}")
        if template.scope_count:
            self.checker.n_options += n_records
            self._check_options(domain, template, content)
        else:
            self.checker.n_records += n_records
        if self.described:
            self._check_described(template)
        if self.checker.options.json:
            self._print(template, content, (number, export_time, sequence))
        return n_records

    def _check_described(self, template):
        for field in template.fields:
            if field.pen in (0, ipfix_template.REVERSE_PEN):
                continue
            if (field.pen, field.id) not in self.described:
                self.complain("O5", f"element {field.pen}/{field.id} is used undescribed")

    def _check_options(self, domain, template, content):
        try:
            records = list(template.decode(content))
        except ValueError:
            return  # was told
        for record in records:
            if "flowKeyIndicator" in record:
                self._check_flow_keys(domain, record)
            if "informationElementDataType" in record:
                self._check_type(record)
                self.described.add((record.get("privateEnterpriseNumber"),
                                    record.get("informationElementId")))

    def _check_flow_keys(self, domain, record):
        known = domain.templates.get(record.get("templateId"))
        if not known:
            self.complain("O4", f"Flow Keys of Template {record.get('templateId')}, unknown")
        elif not 0 < record["flowKeyIndicator"] < 1 << len(known.template.fields):
            self.complain("O4", f"Flow Keys {record['flowKeyIndicator']:#x} of "
                          f"{len(known.template.fields)} fields")

    def _check_type(self, record):
        name = record.get("informationElementName", "")
        kind = record["informationElementDataType"]
        if not name or kind >= len(ipfix_template.TYPES) or \
                record.get("informationElementSemantics", 0) > 6:
            self.complain("O5", f"type record {record}")
        known = self.checker.registry.find(record.get("privateEnterpriseNumber"),
                                           record.get("informationElementId"))
        if known and kind < len(TYPE_NUMBERS) and (known.name, known.type) != \
                (name, TYPE_NUMBERS[kind]):
            self.complain("O5", f"type record {record} of {known}")

    def _print(self, template, content, head):
        number, export_time, sequence = head
        kind = "options" if template.scope_count else "flow"
        time = ipfix_template.time_to_json(export_time, "dateTimeSeconds")
        common = {"type": kind, "templateId": template.number, "observationDomainId": number,
                  "exportTime": time, "sequence": sequence}
        for record in template.decode(content):
            members = {name + "#2" if name in common else name: v for name, v in record.items()}
            print(json.dumps(common | members, separators=(",", ":")))

    def finish(self):
        """What shows at the end of a stream only."""
        if self.transport != UDP or self.started is None:
            return
        for domain in self.domains.values():
            for known in domain.templates.values():
                if self.time - known.first > START_S and known.early_copies < 2 \
                        and known.first - self.started <= START_S:
                    self.complain("M2", f"Template {known.template.number} was sent once")
                self._check_refresh(known)
