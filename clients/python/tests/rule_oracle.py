"""Judges the steps that another program gives on stdin as JSON, and prints the verdicts as JSON."""

import json
import sys

from tickwire.rule import ClientRule, topic_of

verdicts: list[list[str]] = []
for steps in json.load(sys.stdin):
    rule = ClientRule()
    verdicts.append([])
    for step in steps:
        if step["do"] == "connected":
            rule.connected()
        elif step["do"] == "cursor":
            rule.cursor()
        else:
            message = step["message"]
            if message["type"] in ("subscribed", "epoch"):
                rule.enter(message["epoch"])
            verdict = rule.take(message)
            verdicts[-1].append(verdict)
            # This client repairs a gap before it takes the message behind it; the other rule takes it.
            if verdict == "gap":
                rule.accept(topic_of(message["channel"], message.get("symbol")), message["sequence"])
json.dump(verdicts, sys.stdout)
