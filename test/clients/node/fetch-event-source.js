import { fetchEventSource } from '@microsoft/fetch-event-source'
import { ask, keep, lost, mayPass, pauseMs, refused, take } from './report.js'

// The library is made for browsers. There, `openWhenHidden` keeps it from requesting again what it already
// has whenever its tab becomes visible.
globalThis.window = globalThis
globalThis.document = { removeEventListener () {} }

await fetchEventSource(ask(), {
  openWhenHidden: true,
  onopen: async response => {
    if (response.ok) return
    if (!mayPass(response.status)) refused(response.status)
    throw new Error(`refused with ${response.status}`)
  },
  onmessage: ({ event, data }) => { event === 'cursor' ? keep(data) : take(data) },
  // A stream that ends is the end to it, unless this throws.
  onclose: () => { throw new Error('the stream ended') },
  onerror: error => {
    lost(error.message)
    return pauseMs()
  }
})
