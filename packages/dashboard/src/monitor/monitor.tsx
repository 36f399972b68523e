import { type ReactNode, useState } from 'react'
import { useUnlessFrozen } from '../app/freeze.js'
import { useWords } from '../app/preferences.js'
import { login } from '../app/session.js'
import { useStore } from '../app/store.js'
import { ConnectionsPanel } from './connections.js'
import { DetailsPanel } from './details.js'
import { useFigures } from './figures.js'
import { NodesPanel } from './nodes.js'
import { ChannelsPanel, PartsPanel } from './parts.js'
import { TrafficPanel } from './traffic.js'
import { words } from './words.js'
import './monitor.css'

/** What operators see of the servers and their clients. */
export function Monitor (): ReactNode {
  const text = useWords(words)
  const held = useStore(login)
  if (held?.isAdmin !== true) return <p className='empty' data-needs-admin>{text.needsAdmin}</p>
  return <Figures />
}

function Figures (): ReactNode {
  const { nodes, seconds } = useUnlessFrozen(useFigures())
  const [chosen, setChosen] = useState<string>()
  return (
    <div className='monitor'>
      <div className='box whole'><NodesPanel nodes={nodes} /></div>
      <div className='box'><TrafficPanel seconds={seconds} /></div>
      <div className='box'><ChannelsPanel nodes={nodes} /></div>
      <div className='box'><PartsPanel nodes={nodes} /></div>
      <div className='box tall wide'>
        <ConnectionsPanel nodes={nodes} chosen={chosen} onChoose={setChosen} />
      </div>
      <div className='box tall'><DetailsPanel id={chosen} /></div>
    </div>
  )
}
