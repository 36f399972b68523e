// The part that the programs of this folder share: the position from which a client resumes, and the lines on
// stdout that the judge reads (test/clients/judge.ts). Every line begins with its kind: ask start|cursor
// the program itself makes a connection; a library that reconnects by itself prints nothing
//   message <JSON>      what the library handed over: a message, or an array of them
//   cursor <cursor>     a cursor that came apart from messages
//   lost <reason>       a connection has ended, or could not be made
//   refused <reason>    the server said that trying again cannot help

/** Closes after which trying again cannot help: PROTOCOL.md, Errors and closing. */
const FINAL = [1009, 4400, 4401, 4403, 4404, 4409, 4413]
/** Milliseconds. */
const PAUSE = [300, 1200]

const given = process.argv[2]
let cursor
let retryAfterMs = 0

const print = (kind, text) => { process.stdout.write(`${kind} ${String(text).replaceAll(/[\r\n]+/g, ' ')}\n`) }

/** The URL to go on at. @param parameters of this client's own, such as `heartbeat` */
export function ask (parameters = {}) {
  print('ask', cursor === undefined ? 'start' : 'cursor')
  const url = new URL(given)
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  if (cursor !== undefined) url.searchParams.set('after', cursor)
  return url.href
}

export const askSocket = parameters => ask(parameters).replace('http', 'ws')

/** Takes a message, or an array of them, as JSON text. */
export function take (text) {
  const messages = [JSON.parse(text)].flat()
  print('message', text)
  for (const message of messages) {
    if (message.cursor !== undefined) cursor = message.cursor
    if (message.type === 'closing') retryAfterMs = message.retry_after_ms ?? 0
  }
}

/** Keeps a cursor that stands for all that came before it. */
export function keep (text) {
  print('cursor', text)
  cursor = text
}

export const lost = reason => { print('lost', reason) }

/** Milliseconds until the next attempt. */
export function pauseMs () {
  const [least, most] = PAUSE
  const pause = retryAfterMs + least + Math.random() * (most - least)
  retryAfterMs = 0
  return pause
}

/** Whether a status is that of a refusal which may pass. */
export const mayPass = status => status >= 500 || status === 408 || status === 429

export function refused (reason) {
  print('refused', reason)
  process.exit(1)
}

/** Opens another socket in a while, unless the close says that this cannot help. */
export function again (open, code, reason = '') {
  if (FINAL.includes(code)) refused(`${code} ${reason}`)
  lost(`${code} ${reason}`)
  setTimeout(open, pauseMs())
}

/**
 * Follows an EventSource of any make. The library reconnects by itself; when it gives up, this function makes
 * a new one.
 */
export function followEvents (create, closed) {
  const open = () => {
    const events = create()
    events.onmessage = ({ data }) => { take(data) }
    events.addEventListener('cursor', ({ data }) => { keep(data) })
    events.onerror = ({ code, status, message }) => {
      lost(`${code ?? status ?? ''} ${message ?? ''}`)
      if (events.readyState === closed) setTimeout(open, pauseMs())
    }
  }
  open()
  // The timer of undici's does not keep a process that has nothing else to do.
  setInterval(() => {}, 1000)
}

/** Takes the answer to a poll. @param answer its body */
export async function takeAnswer (status, answer) {
  if (status !== 200) {
    if (!mayPass(status)) refused(`${status} ${answer.code}`)
    await pause(`${status} ${answer.code}`, answer.retry_after_ms)
    return
  }
  for (const message of answer.messages) take(JSON.stringify(message))
  keep(answer.cursor)
  // Of a busy topic there is always something: a pause gathers it.
  await new Promise(resolve => setTimeout(resolve, 50))
}

/** Waits for the next attempt. */
export async function pause (reason, askedMs = 0) {
  lost(reason)
  await new Promise(resolve => setTimeout(resolve, askedMs + pauseMs()))
}
