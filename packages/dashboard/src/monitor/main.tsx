import type { ReactNode } from 'react'
import { showPage } from '../app/page.js'

const Content = (): ReactNode => <h1>Monitor</h1>

void showPage({ name: 'monitor', Content })
