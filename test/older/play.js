// Plays an exchange with the WebSocket and the fetch that are here: those of a page, or of Node.
/* global WebSocket, fetch */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/

function fits (expected, received) {
  if (expected === '<any>') return true
  if (expected === '<time>') return typeof received === 'string' && TIME.test(received)
  if (typeof expected !== 'object' || expected === null) return expected === received
  if (typeof received !== 'object' || received === null) return false
  const names = Object.keys(expected)
  if (names.length !== Object.keys(received).length) return false
  return names.every(name => fits(expected[name], received[name]))
}

async function request (url, token, body) {
  const headers = token === '' ? {} : { Authorization: `Bearer ${token}` }
  if (body === undefined) return await (await fetch(url, { headers })).json()
  headers['Content-Type'] = 'application/json'
  return await (await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })).json()
}

/** Resolves with what is wrong, or with null. */
export async function play ({ origin, path, steps, token, publisher }) {
  const socket = new WebSocket(origin.replace('http', 'ws') + path)
  const received = []
  let wake = () => {}
  const end = { isClosed: false }
  socket.onmessage = ({ data }) => {
    received.push(JSON.parse(data))
    wake()
  }
  socket.onclose = () => {
    end.isClosed = true
    wake()
  }
  await new Promise(resolve => { socket.onopen = socket.onerror = resolve })
  for (const { send, sendText, receive, publish, get, answer } of steps) {
    if (send !== undefined) socket.send(JSON.stringify(send))
    else if (sendText !== undefined) socket.send(sendText)
    else if (publish !== undefined) {
      const { accepted } = await request(`${origin}/v1/publish`, publisher, publish)
      if (accepted !== 1) return 'the message was not taken'
    } else if (get !== undefined) {
      const got = await request(origin + get, token)
      if (!fits(answer, got)) return `expected ${JSON.stringify(answer)}, received ${JSON.stringify(got)}`
    } else {
      let at
      while ((at = received.findIndex(({ type }) => type === receive.type)) < 0) {
        if (end.isClosed) return `closed before ${JSON.stringify(receive)}; received ${JSON.stringify(received)}`
        await new Promise(resolve => { wake = resolve })
      }
      const [got] = received.splice(at, 1)
      if (!fits(receive, got)) return `expected ${JSON.stringify(receive)}, received ${JSON.stringify(got)}`
    }
  }
  socket.close()
  while (!end.isClosed) await new Promise(resolve => { wake = resolve })
  return null
}
