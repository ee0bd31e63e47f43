import { defineConfig } from 'tsup';
import { forAnywhere } from '../../tsup.base.ts';

export default defineConfig({
  ...forAnywhere,
  entry: {
    index: 'src/index.ts',
    'event-log/index': 'src/event-log/index.ts',
    'tcp-transport/index': 'src/adapters/tcp-transport/index.ts',
    'file-storage/index': 'src/adapters/file-storage/index.ts',
    'linearizability/index': 'src/linearizability/index.ts',
    'simulator/index': 'src/simulator/index.ts',
  },
});
