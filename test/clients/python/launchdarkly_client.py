from ld_eventsource import SSEClient
from ld_eventsource.actions import Event, Fault
from ld_eventsource.config import ConnectStrategy, ErrorStrategy
from report import ask, lost, take_event

# Comes back by itself, behind refusals too; without a strategy it fails at the first of either.
client = SSEClient(connect=ConnectStrategy.http(ask()), error_strategy=ErrorStrategy.always_continue())
for action in client.all:
    if isinstance(action, Event):
        take_event(action.event, action.data)
    elif isinstance(action, Fault):
        lost(action.error)
