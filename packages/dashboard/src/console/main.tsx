import type { ReactNode } from 'react'
import { showPage } from '../app/page.js'

const Content = (): ReactNode => <h1>Console</h1>

void showPage({ name: 'console', Content })
