// Written by Gatehouse. Loaded first by Node.js while an app is synthesised for live development, it notes
// into the file that GATEHOUSE_RECORD names how esbuild was used, with what result, and what modules of the
// app were loaded. It changes nothing.
'use strict';

const fs = require('fs');
const path = require('path');
const { createHash } = require('crypto');
const Module = require('module');
const child = require('child_process');

const file = process.env.GATEHOUSE_RECORD;

function note(entry) {
  try {
    fs.appendFileSync(file, JSON.stringify(entry) + '\n');
  } catch {}
}

function digest(name) {
  try {
    return createHash('sha256').update(fs.readFileSync(name)).digest('hex');
  } catch {
    return '';
  }
}

// The command line, as aws-cdk-lib/aws-lambda-nodejs calls it.
const { spawnSync } = child;
child.spawnSync = function (command, args, options) {
  const result = spawnSync.apply(this, arguments);
  const words = [command, ...(Array.isArray(args) ? args : [])].map(String);
  const text = words.join(' ');
  if (text.includes('esbuild') && text.includes('--bundle')) {
    const cwd = path.resolve(String((Array.isArray(args) ? options : args)?.cwd ?? process.cwd()));
    const out = /--outfile=("?)(.+?)\1(?= --|"? |"?$)/.exec(text);
    note({ words, cwd, output: out ? path.resolve(cwd, out[2]) : '', digest: out ? digest(path.resolve(cwd, out[2])) : '', ok: result?.status === 0 });
  }
  return result;
};

// The library, as SST calls it.
const lists = { external: '--external:', pure: '--pure:', dropLabels: '--drop-labels=', drop: '--drop:', inject: '--inject:' };
const joined = { mainFields: '--main-fields=', conditions: '--conditions=', resolveExtensions: '--resolve-extensions=', target: '--target=' };
const pairs = { define: ['--define:', '='], loader: ['--loader:', '='], alias: ['--alias:', '='], banner: ['--banner:', '='], footer: ['--footer:', '='], outExtension: ['--out-extension:', '='], supported: ['--supported:', '='], logOverride: ['--log-override:', '='] };
const plain = {
  outfile: '--outfile=', format: '--format=', platform: '--platform=', tsconfig: '--tsconfig=', charset: '--charset=', jsx: '--jsx=', jsxFactory: '--jsx-factory=', jsxFragment: '--jsx-fragment=', jsxImportSource: '--jsx-import-source=',
  legalComments: '--legal-comments=', sourceRoot: '--source-root=', globalName: '--global-name=', packages: '--packages=', logLimit: '--log-limit=', lineLimit: '--line-limit=', sourcesContent: '--sources-content=', treeShaking: '--tree-shaking=',
};
const flags = { bundle: '--bundle', minify: '--minify', minifySyntax: '--minify-syntax', minifyWhitespace: '--minify-whitespace', minifyIdentifiers: '--minify-identifiers', keepNames: '--keep-names', preserveSymlinks: '--preserve-symlinks', ignoreAnnotations: '--ignore-annotations', jsxDev: '--jsx-dev', splitting: '--splitting' };
const silent = new Set(['entryPoints', 'metafile', 'write', 'logLevel', 'color', 'incremental', 'absWorkingDir', 'sourcemap', 'plugins', 'allowOverwrite', 'watch']);

// words says options of the library as the command line would, null if it cannot.
function words(o) {
  if (!Array.isArray(o.entryPoints) || o.entryPoints.length !== 1 || typeof o.entryPoints[0] !== 'string') return null;
  if (o.plugins?.length || o.write === false || !o.outfile) return null;
  const list = ['esbuild', o.entryPoints[0]];
  for (const [key, v] of Object.entries(o)) {
    if (v === undefined || v === null || silent.has(key)) continue;
    if (flags[key]) {
      if (v) list.push(flags[key]);
    } else if (plain[key]) list.push(plain[key] + v);
    else if (lists[key]) for (const x of v) list.push(lists[key] + x);
    else if (joined[key]) list.push(joined[key] + [].concat(v).join(','));
    else if (pairs[key]) for (const [k, x] of Object.entries(v)) list.push(pairs[key][0] + k + pairs[key][1] + x);
    else return null;
  }
  if (o.sourcemap) list.push(o.sourcemap === true ? '--sourcemap' : '--sourcemap=' + o.sourcemap);
  return list;
}

function noteBuild(options, result) {
  const cwd = path.resolve(options?.absWorkingDir ?? process.cwd());
  const output = options?.outfile ? path.resolve(cwd, options.outfile) : '';
  const inputs = Object.keys(result?.metafile?.inputs ?? {}).filter((f) => !/(^|[\\/])node_modules[\\/]/.test(f) && !/^[a-z-]{2,}:|^\(/.test(f));
  note({ words: words(options ?? {}), cwd, output, digest: output ? digest(output) : '', ok: !(result?.errors?.length > 0), inputs });
  return result;
}

function wrap(lib) {
  const out = { ...lib };
  Object.defineProperty(out, '__esModule', { value: true });
  out.build = async (options) => noteBuild(options, await lib.build(options));
  out.buildSync = (options) => noteBuild(options, lib.buildSync(options));
  if (lib.context)
    out.context = async (options) => {
      const c = await lib.context(options);
      const { rebuild } = c;
      c.rebuild = async (...a) => noteBuild(options, await rebuild.apply(c, a));
      return c;
    };
  return out;
}

const { _compile } = Module.prototype;
Module.prototype._compile = function (text, filename, ...rest) {
  const result = _compile.call(this, text, filename, ...rest);
  if (/[\\/]esbuild[\\/]lib[\\/]main\.js$/.test(filename) && typeof this.exports?.build === 'function') this.exports = wrap(this.exports);
  return result;
};

process.on('exit', () => {
  const loaded = Object.keys(Module._cache).filter((f) => !/[\\/]node_modules[\\/]/.test(f) && f !== __filename);
  if (loaded.length) note({ loaded });
});
