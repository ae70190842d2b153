extension TimelinePage {
    /// Zooms: stretches the shapes, puts the pins where they belong, and draws the axis anew. Written without `<` and
    /// `&`, so that the page stays well-formed XML.
    static let script = """

        (function () {
          'use strict';
          var svg = document.getElementById('run'), tools = document.getElementById('tools');
          var data = svg.dataset, left = +data.left, plot = +data.plot, end = +data.end;
          var top = +data.top, bottom = +data.bottom, axisY = +data.axis;
          var stretches = Array.from(svg.querySelectorAll('.stretch')), pins = Array.from(svg.querySelectorAll('.pin'));
          var axis = document.getElementById('axis'), pick = document.getElementById('pick');
          var now = document.getElementById('now'), from = 0, to = plot, held = null;
          // Further in there is nothing more to see: what was drawn has steps of its own.
          var least = Math.max(plot / 2000, plot * 1000 / end);

          function make(name, attributes, text) {
            var node = document.createElementNS('http://www.w3.org/2000/svg', name);
            Object.keys(attributes).forEach(function (key) { node.setAttribute(key, attributes[key]); });
            if (text) { node.textContent = text; }
            return node;
          }
          function span(ns) {
            var units = [['s', 1e9], ['ms', 1e6], ['µs', 1e3]];
            if (ns === 0) { return '0 s'; }
            var unit = units.find(function (each) { return ns >= each[1]; }) || ['ns', 1];
            return +(ns / unit[1]).toFixed(unit[1] === 1e9 ? 6 : 3) + ' ' + unit[0];
          }
          function drawAxis() {
            var a = from / plot * end, b = to / plot * end, step = 1;
            while ((b - a) / step > 12) {
              step *= String(step)[0] === '2' ? 2.5 : 2;
            }
            axis.textContent = '';
            for (var time = Math.ceil(a / step) * step; b >= time; time += step) {
              var x = (time - a) / (b - a) * plot;
              axis.appendChild(make('path', { d: 'M' + x + ' ' + top + 'V' + bottom, 'class': 'grid' }));
              axis.appendChild(make('text', {
                x: x, y: axisY, 'class': 'axis',
                'text-anchor': 24 > x ? 'start' : x > plot - 24 ? 'end' : 'middle'
              }, span(time)));
            }
          }
          function draw() {
            var scale = plot / (to - from);
            stretches.forEach(function (group) {
              group.setAttribute('transform', 'matrix(' + scale + ' 0 0 1 ' + (-from * scale) + ' 0)');
            });
            pins.forEach(function (pin) {
              var x = (pin.dataset.x - from) * scale, isOut = Math.abs(x - plot / 2) > plot / 2 + 5;
              var isTight = pin.dataset.label ? pin.dataset.label > pin.dataset.stretch * scale : false;
              pin.setAttribute('transform', 'translate(' + x + ' ' + pin.dataset.y + ')');
              pin.style.display = isOut || isTight ? 'none' : '';
            });
            drawAxis();
          }
          function show(a, b) {
            var size = Math.min(plot, Math.max(least, b - a));
            from = Math.max(0, Math.min(plot - size, a));
            to = from + size;
            draw();
          }
          function place(event) {
            var point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
            return Math.max(0, Math.min(plot, point.x - left));
          }
          function inRun(x) { return from + x / plot * (to - from); }

          svg.addEventListener('pointerdown', function (event) {
            if (event.button === 0) { held = place(event); event.preventDefault(); }
          });
          window.addEventListener('pointermove', function (event) {
            if (held === null) { return; }
            var x = place(event);
            pick.setAttribute('x', Math.min(x, held));
            pick.setAttribute('width', Math.abs(x - held));
          });
          window.addEventListener('pointerup', function (event) {
            if (held === null) { return; }
            var x = place(event), start = held;
            held = null;
            pick.setAttribute('width', 0);
            if (Math.abs(x - start) > 6) { show(inRun(Math.min(x, start)), inRun(Math.max(x, start))); }
          });
          window.addEventListener('pointercancel', function () { held = null; pick.setAttribute('width', 0); });
          svg.addEventListener('pointermove', function (event) {
            now.textContent = 'At ' + (inRun(place(event)) / plot * end / 1e6).toFixed(3) + ' ms.';
          });
          svg.addEventListener('pointerleave', function () { now.textContent = ''; });
          svg.addEventListener('dblclick', function () { show(0, plot); });
          tools.addEventListener('click', function (event) {
            var size = to - from, middle = (from + to) / 2;
            switch (event.target.dataset.do) {
              case 'in': show(middle - size / 4, middle + size / 4); break;
              case 'out': show(middle - size, middle + size); break;
              case 'left': show(from - size / 2, to - size / 2); break;
              case 'right': show(from + size / 2, to + size / 2); break;
              case 'all': show(0, plot); break;
            }
          });
          tools.hidden = false;
        }());

        """
}
