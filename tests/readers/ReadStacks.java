import ij.IJ;
import ij.ImagePlus;
import ij.measure.Calibration;
import ij.process.ImageStatistics;

/**
 * ReadStacks FOLDER FILE...: opens each file as ImageJ's File > Open does, prints a line for each slice, and saves
 * what it opened into FOLDER.
 */
public class ReadStacks {
  public static void main(String[] arguments) {
    for (int i = 1; i < arguments.length; i++) {
      ImagePlus image = IJ.openImage(arguments[i]);
      Calibration calibration = image.getCalibration();
      for (int slice = 1; slice <= image.getStackSize(); slice++) {
        image.setSliceWithoutUpdate(slice);
        ImageStatistics statistics = image.getStatistics();
        System.out.println(String.join("\t", image.getTitle(), "" + slice, "" + statistics.mean, "" + statistics.min,
            "" + statistics.max, calibration.getValueUnit(), calibration.getUnit(), "" + calibration.pixelWidth,
            "" + calibration.pixelHeight, "" + calibration.pixelDepth));
      }
      IJ.saveAsTiff(image, arguments[0] + "/" + image.getTitle());
    }
  }
}
