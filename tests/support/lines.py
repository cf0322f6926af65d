"""lines.py - what is given to `record --json -` in suites: one JSON line a row, with the fields that such a row needs."""
import json


def volunteer(name, **more):
    row = {"table": "volunteer", "name": name, "vstat": "active", "registered": "2025-03-08", **more}
    return json.dumps(row, ensure_ascii=False)


def activity(title, **more):
    row = {"table": "activity", "title": title, "act": "0", "start": "2025-03-08T09:00", "astat": "finished", **more}
    return json.dumps(row, ensure_ascii=False)
