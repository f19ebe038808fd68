// Writes the picture of docs/benchmarks.md from a report's page: node loadtest/picture.mjs REPORT.html PICTURE.svg
// The page's own script draws it, so documents and reports look alike.
import { readFileSync, writeFileSync } from 'node:fs';
import vm from 'node:vm';

const [, , report, target] = process.argv;
const page = readFileSync(report, 'utf8');
const element = (opening) => page.split(opening)[1].split('</script>')[0];
const data = JSON.parse(element('<script id="data" type="application/json">'));
const { picture } = vm.runInNewContext(`${element('<script type="module">')}; ({ picture })`);
const style = ['palette', 'chart'].map((name) => readFileSync(new URL(`src/report/page/${name}.css`, import.meta.url), 'utf8')).join('');
writeFileSync(target, picture(data, style));
