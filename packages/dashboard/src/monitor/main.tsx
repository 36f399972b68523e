import { showPage } from '../app/page.js'
import { Monitor } from './monitor.js'

void showPage({ name: 'monitor', Content: Monitor })
