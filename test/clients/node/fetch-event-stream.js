import { events } from 'fetch-event-stream'
import { ask, keep, mayPass, pause, refused, take } from './report.js'

for (;;) {
  try {
    const response = await fetch(ask(), { headers: { Accept: 'text/event-stream' } })
    if (!response.ok) {
      const { code, retry_after_ms: askedMs } = await response.json()
      if (!mayPass(response.status)) refused(`${response.status} ${code}`)
      await pause(`${response.status} ${code}`, askedMs)
      continue
    }
    for await (const { event, data } of events(response)) event === 'cursor' ? keep(data) : take(data)
    await pause('the stream ended')
  } catch (error) {
    await pause(error.cause?.code ?? error.message)
  }
}
