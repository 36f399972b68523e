import { type Preference, preferencesOf } from './preferences.js'

const EVENT_STREAM = ['text/event-stream', 'text/*', '*/*']
const JSON_ANSWER = ['application/json', 'application/*', '*/*']

/**
 * Returns the preference that applies to a type: that of the most exact range it is in (RFC 9110, 12.5.1).
 */
function preferenceFor (preferences: readonly Preference[], ranges: readonly string[]): Preference {
  for (const range of ranges) {
    const named = preferences.filter(({ name }) => name === range)
    if (named.length > 0) return named.reduce((most, one) => one.weight > most.weight ? one : most)
  }
  return { name: '', weight: 0 }
}

/**
 * Returns whether an `Accept` header asks for an event stream rather than for JSON (PROTOCOL.md, One URL).
 * The header must name the event stream or `text/*`: a client that takes anything would wait for the end of a
 * stream that has none. With equal weights, the event stream wins.
 */
export function asksForEventStream (accept: string | undefined): boolean {
  const preferences = preferencesOf(accept)
  const stream = preferenceFor(preferences, EVENT_STREAM)
  if (stream.name === '*/*' || stream.weight === 0) return false
  return stream.weight >= preferenceFor(preferences, JSON_ANSWER).weight
}
