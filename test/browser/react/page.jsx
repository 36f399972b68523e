// What the tests of the hooks run in a page; they call it as `hooks`.
import { Component, StrictMode, Suspense } from 'react'
import { createRoot, hydrateRoot } from 'react-dom/client'
import { TickwireClient } from '@tickwire/client'
import { Actions } from '@tickwire/client/actions'
import { TickwireProvider, useAction, useQuote } from '@tickwire/client/react'
import * as views from './views.jsx'

export const { renders } = views
/** Components that have no place on a server. */
const others = { Submit, Suspended, Broken }
const roots = new Map()
export let client
let actions

export let sockets = 0
window.WebSocket = class extends WebSocket {
  constructor (...given) {
    super(...given)
    sockets++
  }
}

export function open (options) {
  client = new TickwireClient({ url: window.location.origin, ...options })
  actions = new Actions(client)
}

const tree = (shown, isStrict) => {
  const all = shown.map(([name, props], at) => {
    const View = views[name] ?? others[name]
    return <View key={at} {...props} />
  })
  const whole = <TickwireProvider client={client}>{all}</TickwireProvider>
  return isStrict ? <StrictMode>{whole}</StrictMode> : whole
}

/** Shows components, each a name with its properties, in a root of a name. */
export function show (shown, { root = 'main', isStrict = false } = {}) {
  if (!roots.has(root)) roots.set(root, createRoot(document.body.appendChild(document.createElement('div'))))
  roots.get(root).render(tree(shown, isStrict))
}

export function unmount (root = 'main') {
  roots.get(root).unmount()
  roots.delete(root)
}

/** Takes over what the server rendered. @returns what React complains about */
export function hydrate (shown) {
  const complaints = []
  const complain = error => { complaints.push(String(error)) }
  console.error = (...texts) => { complain(texts.join(' ')) }
  hydrateRoot(document.getElementById('root'), tree(shown, true), { onRecoverableError: complain })
  return complaints
}

/** What a listener of the application's own is given of a channel. */
export function listen (channel, symbols) {
  const heard = []
  client.subscribe(channel, symbols).listen(({ sequence, reason }) => { heard.push(reason ?? sequence) })
  return heard
}

/** The tab is hidden: no frames come, and the document says so. */
export function hideTab () {
  Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true })
  window.requestAnimationFrame = () => 0
}

function Submit () {
  const [submit, { pending, error, result }] = useAction(order => actions.submitOrder(order))
  const status = pending ? 'pending' : error?.code ?? (result === undefined ? 'nothing' : 'done')
  return (
    <>
      <button onClick={() => submit(window.order)}>submit</button>
      <p id='submit'>{status}</p>
    </>
  )
}

let wake
const waiting = new Promise(resolve => { wake = resolve })
export const finish = () => { isReady = true; wake() }
let isReady = false

/** Reads a quote, and is thrown away until `finish()`: React never mounts it before. */
function Suspended () {
  const Inner = () => {
    useQuote('SUSPENDED')
    if (!isReady) throw waiting
    return <p id='suspended'>ready</p>
  }
  return <Suspense fallback={<p id='fallback'>waiting</p>}><Inner /></Suspense>
}

class Boundary extends Component {
  state = { failed: false }
  static getDerivedStateFromError = () => ({ failed: true })
  render () {
    return this.state.failed ? <p id='broken'>broken</p> : this.props.children
  }
}

/** Reads a quote in a render that throws. */
function Broken () {
  const Inner = () => {
    useQuote('BROKEN')
    throw new Error('on purpose')
  }
  return <Boundary><Inner /></Boundary>
}
