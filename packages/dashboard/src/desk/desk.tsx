import { type ReactNode, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { useClient } from '@tickwire/client/react'
import { notify } from '../app/notices.js'
import { useStore } from '../app/store.js'
import { useReadInstruments } from './instruments.js'
import { type Cell, layout, placeOf } from './layout.js'
import { useReadStatuses } from './markets/statuses.js'
import { OrderAndAlertNotices } from './notices.js'
import { panels, type PanelName } from './panels.js'
import { useSelected } from './selection.js'
import { Tabs } from './tabs.js'
import { isPrefilled as isTicketPrefilled } from './ticket/prefill.js'
import './desk.css'

const narrow = matchMedia('(max-width: 900px)')
const useIsNarrow = (): boolean => useSyncExternalStore(listener => {
  narrow.addEventListener('change', listener)
  return () => { narrow.removeEventListener('change', listener) }
}, () => narrow.matches)

/** What operators have to say to everybody, while the page is open. */
function useSystemNotices (): void {
  const client = useClient()
  useEffect(() => {
    const subscription = client.subscribe('system')
    const stop = subscription.onMessage(({ data: { level, message } }) => {
      notify(message, level === 'info' ? 'info' : 'bad')
    })
    return () => {
      stop()
      subscription.close()
    }
  }, [client])
}

/** The desk: panels in columns; on a narrow screen one panel at a time. */
export function Desk (): ReactNode {
  useReadInstruments()
  useReadStatuses()
  useSystemNotices()
  const columns = useStore(layout)
  const isNarrow = useIsNarrow()
  if (isNarrow) {
    const all = (Object.keys(panels) as PanelName[]).filter(name => placeOf(columns, name) !== '')
    return (
      <div className='desk'>
        <OrderAndAlertNotices />
        <CellOf cell={{ panels: all, share: 1 }} />
      </div>
    )
  }
  return (
    <div className='desk'>
      <OrderAndAlertNotices />
      {columns.map((cells, at) => {
        const shown = cells.filter(({ panels: names }) => names.length > 0)
        if (shown.length === 0) return null
        return (
          <div key={at} className='column'>
            {shown.map((cell, place) => <CellOf key={place} cell={cell} />)}
          </div>
        )
      })}
    </div>
  )
}

function CellOf ({ cell: { panels: names, share } }: { readonly cell: Cell }): ReactNode {
  const [chosen, setChosen] = useState<PanelName>()
  const shown = chosen !== undefined && names.includes(chosen) ? chosen : names[0]!
  const selected = useSelected()
  // Where the list hides the chart, who chooses a symbol wants to see it.
  const before = useRef(selected)
  useEffect(() => {
    const isChoice = before.current !== undefined && before.current !== selected
    before.current = selected
    if (!isChoice || !names.includes('chart')) return
    setChosen(now => (now ?? names[0]) === 'watchlist' ? 'chart' : now)
  }, [selected, names])
  const isPrefilled = useStore(isTicketPrefilled)
  useEffect(() => {
    if (isPrefilled && names.includes('ticket')) setChosen('ticket')
  }, [isPrefilled, names])
  const Content = panels[shown]
  return (
    <div className='cell' style={{ flexGrow: share }} data-tabs={names.length > 1}>
      {names.length > 1 && <Tabs names={names} shown={shown} onChoose={setChosen} />}
      <div className='cell-body' role={names.length > 1 ? 'tabpanel' : undefined}>
        <Content key={shown} />
      </div>
    </div>
  )
}
