import { EventEmitter } from 'node:events';
import { join } from 'node:path';
import {
  status,
  type MethodDefinition,
  type Server,
  type ServerDuplexStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { packageRoot } from '../../proto/package-root.js';

const FILES = ['fraisier/v1/control.proto', 'fraisier/v1/enrollment.proto'];
const SERVICES = ['fraisier.v1.Control', 'fraisier.v1.Enrollment'];
const VERSIONS = ['v1', 'v1alpha'].map((version) => `grpc.reflection.${version}.ServerReflection`);

type Answering = (call: EventEmitter) => void;
type Implementations = ReadonlyMap<string, { readonly method: Method; readonly answer: Answering }>;
type Method = MethodDefinition<object, object>;

/**
 * Lets generic gRPC tools list and call the public services. The descriptors are read when a tool first asks: reading them
 * takes a fifth of a controller's start.
 */
export function addReflection(server: Server): void {
  let loaded: Promise<Implementations> | null = null;
  for (const service of VERSIONS) {
    const path = `/${service}/ServerReflectionInfo`;
    const answer = (call: ServerDuplexStream<Buffer, Buffer>) => {
      call.pause();
      loaded ??= load().catch((error: unknown) => {
        loaded = null; // for the next one that asks
        throw error;
      });
      loaded
        .then((implementations) => serve(call, implementations.get(path)))
        .catch((error: unknown) => call.emit('error', error));
    };
    server.addService({ ServerReflectionInfo: asBytes(path) }, { ServerReflectionInfo: answer });
  }
}

/** What `@grpc/reflection` would add to a server. */
async function load(): Promise<Implementations> {
  const { load: loadFiles } = await import('@grpc/proto-loader');
  const { ReflectionService } = await import('@grpc/reflection');
  const definition = await loadFiles(FILES, { includeDirs: [join(packageRoot(), 'proto')] });
  const found = new Map<string, { method: Method; answer: Answering }>();
  const addService = (service: ServiceDefinition, handlers: UntypedServiceImplementation): void => {
    for (const [name, method] of Object.entries(service)) {
      found.set(method.path, { method: method as Method, answer: handlers[name] as unknown as Answering });
    }
  };
  new ReflectionService(definition, { services: SERVICES }).addToServer({ addService } as unknown as Server);
  return found;
}

function serve(call: ServerDuplexStream<Buffer, Buffer>, found: ReturnType<Implementations['get']>): void {
  if (found === undefined) throw new Error(`no reflection at ${call.getPath()}`);
  const { method, answer } = found;
  const typed = Object.assign(new EventEmitter(), {
    write: (message: object) => call.write(method.responseSerialize(message)),
    end: () => call.end(),
  });
  answer(typed);
  call.on('data', (bytes: Buffer) => {
    try {
      typed.emit('data', method.requestDeserialize(bytes));
    } catch (error) {
      call.emit('error', { code: status.INVALID_ARGUMENT, details: String(error) });
    }
  });
  call.on('end', () => typed.emit('end'));
  call.resume();
}

function asBytes(path: string): MethodDefinition<Buffer, Buffer> {
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    ...{ path, requestStream: true, responseStream: true },
    ...{
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  };
}
