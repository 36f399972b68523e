// What this page uses of the client; scripts/prepare.js makes one file of it and all that it imports.
export { TickwireClient } from '@tickwire/client'
export { eventSource } from '@tickwire/client/event-source'
