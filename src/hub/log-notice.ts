import { topicKey } from '@tickwire/protocol'

/** What those who subscribe to `system` are told when the log goes away and when it comes back. */
export function logNotice (available: boolean): { topic: string, payload: string } {
  const text = available
    ? { level: 'info', message: 'the log can be reached again' }
    : { level: 'warning', message: 'the log cannot be reached: nothing new is sent or taken until it can; no message is lost' }
  return { topic: topicKey({ channel: 'system' }), payload: JSON.stringify(text) }
}
