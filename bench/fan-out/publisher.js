/**
 * A client that publishes: `publisher.js <topics> <window in ms> <port> <http|ws|centrifugo> <token>`. It
 * sends a batch for each window, over a connection that it keeps. It reads `rate <messages a second>` and
 * `published` from its input, and ends with it.
 */
import { Agent, request } from 'node:http'
import { createInterface } from 'node:readline'
import { JSON_SUBPROTOCOL } from '@tickwire/protocol'
import WebSocket from 'ws'
import { Feeder } from './feeder.js'

const [topics, windowMs, port, way, token] = process.argv.slice(2)
const authorization = `Bearer ${token}`

/** @param {unknown} answer */
function fail (answer) {
  console.error(`a batch was not taken: ${answer}`)
  process.exit(1)
}

/** @typedef {(batch: readonly import('./feeder.js').Trade[]) => void} Send */

/** @returns {Send} */
function overHttp () {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const options = { host: '127.0.0.1', port, path: '/v1/publish', method: 'POST', agent }
  return batch => {
    const body = batch.map(data => JSON.stringify(messageOf(data))).join('\n')
    const headers = {
      authorization, 'content-type': 'application/x-ndjson', 'content-length': Buffer.byteLength(body)
    }
    request({ ...options, headers }, answer => {
      if (answer.statusCode !== 200) fail(answer.statusCode)
      answer.resume()
    }).on('error', fail).end(body)
  }
}

/** @returns {Promise<Send>} */
async function overWebSocket () {
  const url = `ws://127.0.0.1:${port}/v1/stream`
  const options = { headers: { authorization }, perMessageDeflate: false }
  const socket = new WebSocket(url, JSON_SUBPROTOCOL, options)
  await new Promise(resolve => { socket.once('open', resolve) })
  socket.on('message', text => { if (String(text).startsWith('{"type":"error"')) fail(text) })
  let id = 0
  return batch => {
    const messages = batch.map(messageOf)
    socket.send(JSON.stringify({ action: 'publish', id: String(++id), messages }))
  }
}

/** @returns {Send} */
function toCentrifugo () {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const options = { host: '127.0.0.1', port, path: '/api/batch', method: 'POST', agent }
  return batch => {
    const commands = batch.map(data => ({ publish: { channel: data.symbol, data } }))
    const body = JSON.stringify({ commands })
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    request({ ...options, headers }, answer => {
      if (answer.statusCode !== 200) fail(answer.statusCode)
      answer.resume()
    }).on('error', fail).end(body)
  }
}

/** @param {import('./feeder.js').Trade} data */
const messageOf = data => ({ channel: 'trades', symbol: data.symbol, data })

const send = way === 'http' ? overHttp() : way === 'ws' ? await overWebSocket() : toCentrifugo()
const feeder = new Feeder(Number(topics), Number(windowMs), send)
createInterface(process.stdin)
  .on('line', line => {
    const [command, value] = line.split(' ')
    if (command === 'rate') feeder.setRate(Number(value))
    console.log(feeder.published)
  })
  .on('close', () => { process.exit(0) })
console.log('ready')
