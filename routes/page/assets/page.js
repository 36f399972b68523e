/* global requestAnimationFrame */
import { Admin, readSettings } from './admin.js'
import { Choice, readSymbols } from './choice.js'
import { eventSource } from './client.js'
import { Column } from './column.js'
import { InStep } from './in-step.js'
import { ColumnView } from './view.js'

/** How often to take rates and latencies, and to compare the columns. */
const LOOK_MS = 500

const TRANSPORTS = [
  {
    name: 'websocket',
    title: 'WebSocket',
    transport: 'websocket',
    note: 'Reconnects with its last cursor, and drops messages that it has already as duplicates.',
  },
  {
    name: 'event-source',
    title: 'EventSource',
    transport: eventSource,
    note: 'The browser itself reconnects and sends Last-Event-ID; this page has no part in it.',
  },
  {
    name: 'poll',
    title: 'Polling',
    transport: 'polling',
    note: 'Sends one held request after another, each with the cursor of the last answer. ' +
      'A cut ends the held request.',
  },
]

const byId = id => document.getElementById(id)
let settings
let token
/** Why the link that was opened is not valid. */
let linkProblem = ''
const admin = new Admin(() => {
  linkProblem = ''
  if (settings !== undefined) hintOfAdmin()
  schedule()
})
const mayCut = () => admin.isAdmin || token !== undefined
let columns = []
let inStep = new InStep()

const views = TRANSPORTS.map((transport, index) => new ColumnView(byId('column'), transport, async () => {
  try {
    await admin.disconnect(() => columns[index]?.connectionId, token)
    hintOfAdmin()
  } catch (error) {
    if (mayCut()) hint(`${transport.title} was not cut: ${error.message}`)
  }
}))
byId('columns').append(...views.map(({ element }) => element))

/** Writes the page at most once a frame, however fast messages come. */
let frame
function schedule () {
  frame ??= requestAnimationFrame(() => {
    frame = undefined
    for (const [index, column] of columns.entries()) views[index].show(column, mayCut())
  })
}

function look () {
  if (columns.length === 0) return
  for (const [index, column] of columns.entries()) views[index].showMeter(column.measure())
  const { topics, behind } = inStep.look(columns)
  const late = behind.flatMap((messages, index) =>
    messages === 0 ? [] : [`${TRANSPORTS[index].title} is ${messages} behind`])
  const banner = byId('in-step')
  banner.dataset.inStep = topics === 0 ? 'unknown' : String(late.length === 0)
  banner.querySelector('.text').textContent = topics === 0
    ? 'Nothing to compare yet'
    : late.length === 0 ? `In step: the same sequences of ${topics} topics` : late.join(', ')
}

/** @param {[label: string, act: () => void]} [button] what a person can do about it */
function hint (text, [label, act] = []) {
  const place = byId('hint')
  place.hidden = text === ''
  place.replaceChildren(text)
  if (label === undefined) return
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = label
  button.addEventListener('click', act)
  place.append(' ', button)
}

const OPEN_LINK = "Only an operator may cut connections: open the link that this server's terminal shows."

/** Says how to become an operator, if this page may not cut connections yet. */
function hintOfAdmin (text = linkProblem || OPEN_LINK) {
  if (mayCut()) return hint('')
  if (!settings.adminLinks) {
    return hint('Cutting a connection takes a token with admin.', ['Enter a token', askForToken])
  }
  hint(text, ['Show a link there', async () => {
    try {
      await admin.askForLink()
      hint("The server's terminal shows a link: open it in this browser.")
    } catch (error) {
      hintOfAdmin(`There is no new link: ${error.message}.`)
    }
  }])
}

/** Subscribes to the same over each transport. */
function subscribe (selectors) {
  for (const column of columns) column.close()
  for (const view of views) view.clear()
  inStep = new InStep()
  for (const id of ['columns', 'in-step']) byId(id).hidden = false
  byId('chosen').textContent = selectors.join(' · ').replaceAll(',', ', ')
  // Polls say nothing of the server's clock, so all columns go by what the WebSocket says of it.
  const serverNow = () => columns[0].serverNow()
  columns = TRANSPORTS.map(({ transport }) =>
    new Column(transport, { subscribe: selectors, token }, serverNow, schedule))
  schedule()
}

async function start () {
  const symbols = await readSymbols(token)
  for (const view of views) view.names = new Map(symbols.map(({ symbol, name }) => [symbol, name]))
  const choice = new Choice(byId('choice-form'), byId('symbols'), symbols, subscribe)
  byId('choice').hidden = false
  hintOfAdmin()
  subscribe(choice.subscribe)
}

function askForToken () {
  byId('token-form').hidden = false
  byId('token').focus()
}

/** The token stays in this page's memory: after a reload the page asks for it again. */
byId('token-form').addEventListener('submit', async event => {
  event.preventDefault()
  token = byId('token').value.trim()
  try {
    await start()
    byId('token-form').hidden = true
    byId('token').value = ''
  } catch (error) {
    token = undefined
    hint(`The server did not take the token: ${error.message}`)
  }
})

/** Exchanges the code of a link in this page's address. */
async function takeLink () {
  try {
    await admin.takeLink()
  } catch (error) {
    linkProblem = `The link was not taken: ${error.message}.`
    if (settings !== undefined) hintOfAdmin()
  }
}

// If a link is opened where the page is open already, only the address changes.
window.addEventListener('hashchange', takeLink)
try {
  await Promise.all([takeLink(), readSettings().then(answer => { settings = answer })])
  byId('reference').hidden = !settings.reference
  if (settings.tokenRequired) askForToken()
  else await start()
  setInterval(look, LOOK_MS)
} catch (error) {
  hint(`The page could not start: ${error.message}`)
}
