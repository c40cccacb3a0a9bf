import { join } from 'node:path';
import type { Server } from '@grpc/grpc-js';
import { load } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { packageRoot } from '../../proto/package-root.js';

const FILES = ['fraisier/v1/control.proto', 'fraisier/v1/enrollment.proto'];
const SERVICES = ['fraisier.v1.Control', 'fraisier.v1.Enrollment'];

/** Lets generic gRPC tools list and call the public services. */
export async function addReflection(server: Server): Promise<void> {
  const definition = await load(FILES, { includeDirs: [join(packageRoot(), 'proto')] });
  new ReflectionService(definition, { services: SERVICES }).addToServer(server);
}
