import { EventSourceParserStream } from 'eventsource-parser/stream'
import { ask, keep, mayPass, pause, refused, take } from './report.js'

// It only parses: coming back, and from where, is the program's part.
for (;;) {
  try {
    const response = await fetch(ask(), { headers: { Accept: 'text/event-stream' } })
    if (!response.ok) {
      const { code, retry_after_ms: askedMs } = await response.json()
      if (!mayPass(response.status)) refused(`${response.status} ${code}`)
      await pause(`${response.status} ${code}`, askedMs)
      continue
    }
    const text = response.body.pipeThrough(new TextDecoderStream())
    for await (const { event, data } of text.pipeThrough(new EventSourceParserStream())) {
      event === 'cursor' ? keep(data) : take(data)
    }
    await pause('the stream ended')
  } catch (error) {
    await pause(error.cause?.code ?? error.message)
  }
}
